"""`python check.py http://127.0.0.1:PORT`: whether sessions end when they are said to, and passwords count."""

import secrets
import sys

import client as peer


def expect(fact: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"Not so: {fact}.")
    print(fact)


client = peer.Client(sys.argv[1])
email = f"{secrets.token_hex(8)}@example.com"
status, body, _ = client.sign_up(email)
expect("a sign-up answers 200", (status, body["user"]["email"]) == (200, email))
status, body, _ = client.sign_in(email, "another password")
expect("a wrong password is refused (401)", (status, body["code"]) == (401, "INVALID_EMAIL_OR_PASSWORD"))

status, body, cookies = client.sign_in(email, peer.PASSWORD)
expect("the right one answers 200", status == 200)
cookie = cookies[peer.TOKEN]
status, body, cookies = client.call("GET", "/api/auth/get-session", cookie=cookie)
expect("the session is that person's", (status, body["user"]["email"]) == (200, email))
expect("no copy of it is in a cookie", peer.CACHED not in cookies)
forged = cookie[:-8] + "AAAA" + cookie[-4:]
expect("a forged cookie has no session", client.call("GET", "/api/auth/get-session", cookie=forged)[:2] == (200, None))
expect("a sign-out answers 200", client.call("POST", "/api/auth/sign-out", cookie=cookie)[0] == 200)
gone = client.call("GET", "/api/auth/get-session", cookie=cookie)
expect("a session that was signed out is gone at once", gone[:2] == (200, None))

cookies = client.sign_in(email, peer.PASSWORD, at="/cached")[2]
cookie, both = cookies[peer.TOKEN], f"{cookies[peer.TOKEN]}; {cookies[peer.CACHED]}"
client.call("POST", "/api/auth/sign-out", cookie=cookie)
status, body, _ = client.call("GET", "/cached/get-session", cookie=both)
expect("the cached one outlives its sign-out (stateless)", (status, body["user"]["email"]) == (200, email))
expect("and not without its cookie", client.call("GET", "/cached/get-session", cookie=cookie)[:2] == (200, None))
