"""A wrong password is refused, and so is a database token after its logout; a JWT outlives its own."""

import sys

from benchmarks.http import call, fact, post

base = sys.argv[1]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "correct horse battery staple"
fact("sign up", post(f"{base}/register", {"email": "check@example.com", "password": PASSWORD}), 201)
fact(
    "a wrong password is refused", call("POST", f"{base}/db/login", FORM, "username=check@example.com&password=x"), 400
)
for strategy, after in (("db", 401), ("jwt", 200)):
    body = f"username=check@example.com&password={PASSWORD}"
    token = fact("log in", call("POST", f"{base}/{strategy}/login", FORM, body), 200).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    fact("session", call("GET", f"{base}/{strategy}/me", bearer), 200)
    fact("log out", call("POST", f"{base}/{strategy}/logout", bearer), 204)
    fact(f"the {strategy} token after its logout", call("GET", f"{base}/{strategy}/me", bearer), after)
