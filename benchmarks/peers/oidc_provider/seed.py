"""`python seed.py http://127.0.0.1:PORT COUNT FOR`: as many people, each with a grant and a chain of refreshes."""

import json
import secrets
import sys

from flow import Client

client = Client(sys.argv[1])
for _ in range(int(sys.argv[2])):
    print(json.dumps({"refresh_token": client.sign_in(secrets.token_hex(8))["refresh_token"]}))
