"""A wrong password, a rotated refresh token and one that was logged out are refused."""

import sys

from benchmarks.http import call, fact, post

base = sys.argv[1]
person = {"email": "check@example.com", "username": "check@example.com", "password": "correct horse battery staple"}
fact("sign up", post(f"{base}/signup", person), 201)
fact("a wrong password is refused", post(f"{base}/login", person | {"password": "x"}), 401)
tokens = fact("log in", post(f"{base}/login", person), 200).json()
bearer = {"Authorization": f"Bearer {tokens['access']}"}
fact("session", call("GET", f"{base}/me", bearer), 200)
fact("stateless session", call("GET", f"{base}/stateless", bearer), 200)
fact(
    "a forged token is refused", call("GET", f"{base}/stateless", {"Authorization": f"Bearer {tokens['access']}x"}), 401
)
second = fact("refresh", post(f"{base}/refresh", {"refresh": tokens["refresh"]}), 200).json()
fact("a rotated token is refused", post(f"{base}/refresh", {"refresh": tokens["refresh"]}), 401)
fact("log out", post(f"{base}/logout", {"refresh": second["refresh"]}), 200)
fact("its refresh token is refused", post(f"{base}/refresh", {"refresh": second["refresh"]}), 401)
