"""A wrong password, a rotated refresh token and both tokens after a logout are refused."""

import sys

from benchmarks.http import call, fact, post

base = f"{sys.argv[1]}/_allauth/app/v1"
person = {"email": "check@example.com", "password": "correct horse battery staple"}
fact("sign up", post(f"{base}/auth/signup", person), 200)
fact("a wrong password is refused", post(f"{base}/auth/login", person | {"password": "x"}), 400)
tokens = fact("log in", post(f"{base}/auth/login", person), 200).json()["meta"]
bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
fact("session", call("GET", f"{base}/auth/session", bearer), 200)
first = {"refresh_token": tokens["refresh_token"]}
second = fact("refresh", post(f"{base}/tokens/refresh", first), 200).json()["data"]["refresh_token"]
fact("a rotated token is refused", post(f"{base}/tokens/refresh", first), 400, 401)
fact("log out", call("DELETE", f"{base}/auth/session", bearer), 401)
fact("its access token is refused at once", call("GET", f"{base}/auth/session", bearer), 401, 410)
fact("its refresh token is refused", post(f"{base}/tokens/refresh", {"refresh_token": second}), 400, 401)
