"""A wrong password, a rotated token beyond its grace, a reused one and an ended session are refused."""

import sys

from benchmarks.http import call, fact, fail, post

auth = f"{sys.argv[1]}/api/v1/auth"
person = {"email": "check@example.com", "password": "correct horse battery staple"}
fact("sign up", post(f"{auth}/signup", person), 201)
fact("a wrong password is refused", post(f"{auth}/login", person | {"password": "wrong horse"}), 401)
tokens = fact("log in", post(f"{auth}/login", person), 200).json()
first = {"refresh_token": tokens["refresh_token"]}
second = {"refresh_token": fact("refresh", post(f"{auth}/refresh", first), 200).json()["refresh_token"]}
if first == second:
    fail("the refresh token did not rotate")
again = fact("the parent gets its one successor again", post(f"{auth}/refresh", first), 200).json()
if again["refresh_token"] != second["refresh_token"]:
    fail("the parent got a second successor")
bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
fact("session", call("GET", f"{auth}/session", bearer), 200)
fact("refresh", post(f"{auth}/refresh", second), 200)
fact("a token two generations old is refused", post(f"{auth}/refresh", first), 401, 409)
tokens = fact("log in", post(f"{auth}/login", person), 200).json()
bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
fact("log out", post(f"{auth}/logout", {"refresh_token": tokens["refresh_token"]}), 204)
fact("its refresh token is refused", post(f"{auth}/refresh", {"refresh_token": tokens["refresh_token"]}), 401)
fact("its access token is refused at once", call("GET", f"{auth}/session", bearer), 401)
