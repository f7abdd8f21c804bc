"""`python check.py http://127.0.0.1:PORT`: whether this provider rotates refresh tokens and refuses what it rotated."""

import base64
import json
import os
import sys

from flow import Client


def expect(fact: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"Not so: {fact}.")
    print(fact)


client = Client(sys.argv[1])
first = client.sign_in("checked")
status, second = client.refresh(first["refresh_token"])
expect("a refresh answers 200", status == 200)
expect("it gives another refresh token", second["refresh_token"] != first["refresh_token"])

header = second["id_token"].split(".")[0]
alg = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["alg"]
expect(f"its id_token is signed with {os.environ.get('ALG', 'EdDSA')}", alg == os.environ.get("ALG", "EdDSA"))

third = client.refresh(second["refresh_token"])
expect("the new one works", third[0] == 200)
again = client.refresh(first["refresh_token"])
expect("a rotated refresh token is refused (invalid_grant)", (again[0], again[1]["error"]) == (400, "invalid_grant"))
newest = client.refresh(third[1]["refresh_token"])
expect("and its reuse ends the whole chain", (newest[0], newest[1]["error"]) == (400, "invalid_grant"))
unknown = client.refresh("0" * 43)
expect("an unknown refresh token is refused", (unknown[0], unknown[1]["error"]) == (400, "invalid_grant"))
