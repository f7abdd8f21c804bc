"""Logs people in by the strategy that the operation uses."""

import json
import sys
import uuid

from benchmarks.http import call, post

base, count, purpose = sys.argv[1], int(sys.argv[2]), sys.argv[3]
strategy = "jwt" if purpose == "session_stateless" else "db"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
people = []
for _ in range(min(count, 64)):
    email = f"{uuid.uuid4()}@example.com"
    answer = post(f"{base}/register", {"email": email, "password": "correct horse battery staple"})
    assert answer.status == 201, answer.text
    people.append(email)
for number in range(count):
    email = people[number % len(people)]
    body = f"username={email}&password=correct horse battery staple"
    answer = call("POST", f"{base}/{strategy}/login", FORM, body)
    assert answer.status == 200, answer.text
    print(json.dumps({"access_token": answer.json()["access_token"]}))
