"""`python seed.py http://127.0.0.1:PORT COUNT FOR`: as many people, signed up and in, or as many as there is time for.

The cookie that stands for the stateless session comes from another path than the sign-in that is measured.
"""

import json
import secrets
import sys
import time

from client import CACHED, PASSWORD, TOKEN, Client

PATIENCE = 20.0
FEW = 64

client = Client(sys.argv[1])
end = time.monotonic() + PATIENCE
stateless = sys.argv[3] == "session_stateless"
for number in range(int(sys.argv[2])):
    if number >= FEW and time.monotonic() > end:
        break
    email = f"{secrets.token_hex(8)}@example.com"
    status, body, cookies = client.sign_up(email, at="/cached" if stateless else "/api/auth")
    if status != 200:
        raise SystemExit(f"The sign-up was refused: {status} {body}")
    person = {"email": email, "password": PASSWORD, "cookie": cookies[TOKEN]}
    print(json.dumps(person | ({"cached": cookies[CACHED]} if stateless else {})))
