"""The signed-in people that an operation begins with."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.contestant import Contestant
from benchmarks.http import call
from benchmarks.load import Failed, Vars, load
from benchmarks.peers import Operation

FEW = 64
"""People who refresh and ask for their session: twice as many as connections."""

PATIENCE = 20.0
"""Seconds that it may take to make people; with slow peers there are fewer of them then."""


def fresh(contestant: Contestant) -> Vars:
    """A person whom the peer does not know yet."""
    number = contestant.people
    contestant.people += 1
    return {name: fill(text, {"n": str(number)}) for name, text in contestant.peer.person.items()} | {"n": str(number)}


def fill(text: str, values: Vars) -> str:
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def do(contestant: Contestant, operation: Operation, values: Vars) -> Vars:
    """One request; the variables with those that its answer adds. Raises Failed."""
    body = None if operation.body is None else fill(operation.body, values)
    headers = {name: fill(value, values) for name, value in operation.headers.items()}
    answer = call(operation.method, contestant.url + fill(operation.path, values), headers, body)
    found = {name: answer.find(where) for name, where in operation.takes.items()}
    if answer.status != operation.status or None in found.values():
        raise Failed(f"{contestant.peer.title}, {operation.name}: {answer.status} {answer.text[:200]}")
    return values | {name: value for name, value in found.items() if value is not None}


def sign_up(contestant: Contestant, count: int) -> list[Vars]:
    """So many people, or as many as there is time for."""
    operation = contestant.peer.operations.get("signup")
    people: list[Vars] = []
    end = time.monotonic() + PATIENCE
    while len(people) < count and (time.monotonic() < end or len(people) < 8):
        person = fresh(contestant)
        people.append(do(contestant, operation, person) if operation else person)
    return people


def signed_in(contestant: Contestant, people: Sequence[Vars], count: int, purpose: str) -> list[Vars]:
    """`count` sessions of those people, or as many as there is time for."""
    if contestant.peer.has("seed.py"):
        return _from_script(contestant, count, purpose)
    login = contestant.peer.operations.get("login")
    if login is None:
        return [people[number % len(people)] for number in range(count)]
    if count > FEW and all(where.startswith("json:") for where in login.takes.values()):
        names = sorted(login.takes)
        kept: list[Vars] = []
        end = time.monotonic() + PATIENCE
        while len(kept) < count and time.monotonic() < end:
            kept += load(contestant, login, people, 1, keep=names)[1]
        return kept[:count]
    sessions: list[Vars] = []
    end = time.monotonic() + PATIENCE
    while len(sessions) < count and (time.monotonic() < end or len(sessions) < FEW):
        sessions.append(do(contestant, login, people[len(sessions) % len(people)]))
    return sessions


def _from_script(contestant: Contestant, count: int, purpose: str) -> list[Vars]:
    done = subprocess.run(
        [sys.executable, "seed.py", contestant.url, str(count), purpose],
        cwd=contestant.peer.folder,
        env=contestant.peer.environment(**contestant.environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise Failed(f"{contestant.peer.title}: nobody could be signed in: {done.stderr.strip()[-300:]}")
    return [{name: str(value) for name, value in json.loads(line).items()} for line in lines]
