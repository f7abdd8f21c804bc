"""Whether an answer or its time tells who has an account: one request at a time, each kind of address in turn."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TypeAlias

from benchmarks.contestant import Contestant, running
from benchmarks.http import Answer, call, post
from benchmarks.load import Failed
from benchmarks.peers import Peer, load
from benchmarks.servers import Backends

KINDS = ("unknown", "known", "unverified", "locked", "disabled")
CALLS = {
    "login": "/api/v1/auth/login",
    "signup": "/api/v1/auth/signup",
    "forgot": "/api/v1/auth/password/forgot",
    "resend": "/api/v1/auth/email/resend",
}
RIGHT, WRONG = "correct horse battery staple", "wrong horse battery staple"
KNOWS_THE_PASSWORD = ("locked", "disabled")
"""Their logins have the right one, and must not learn it."""

PEOPLE = 60
"""Of each kind."""

ROUNDS = {"login": 220, "signup": 220, "forgot": 600, "resend": 600}
"""A login fails at most four times for one person: the next one but one would have to wait."""

WARM_UP = 20
SHUFFLES = 1000
VARYING = ("date", "x-request-id")

Round: TypeAlias = tuple[float, ...]
"""Seconds, in the order of KINDS."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Caller:
    """Everyone comes from an address of their own, so that only the account is counted."""

    contestant: Contestant
    answers: dict[str, str] = field(default_factory=dict)
    """The one answer to each call, without what varies."""
    sent: int = 0

    def headers(self) -> dict[str, str]:
        self.sent += 1
        one, two, three = self.sent.to_bytes(3)
        return {"Content-Type": "application/json", "X-Forwarded-For": f"10.{one}.{two}.{three}"}

    def ask(self, name: str, kind: str, number: int) -> float:
        """Raises Failed where the answer differs."""
        body, headers = _body(name, kind, number), self.headers()
        begin = perf_counter()
        answer = call("POST", self.contestant.url + CALLS[name], headers, body)
        seconds = perf_counter() - begin
        bare = _without_what_varies(answer)
        if bare != self.answers.setdefault(name, bare):
            raise Failed(f"{name} tells {kind} from others: {bare} instead of {self.answers[name]}")
        return seconds


def probe(backends: Backends, say: Say, peer: Peer | None = None) -> dict[str, float]:
    """For each call the distance of the slowest kind's median from the fastest one's, and what chance alone makes."""
    chance = random.Random(1)  # noqa: S311 - no secret
    found: dict[str, float] = {}
    with _populated(peer or load("authapi"), backends) as caller:
        for name, count in ROUNDS.items():
            rounds = [_round(caller, name, number, chance) for number in range(count)][WARM_UP:]
            medians = [1e3 * median(column) for column in zip(*rounds, strict=True)]
            found[f"{name}_spread"], found[f"{name}_noise"] = 1e3 * _spread(rounds), 1e3 * _noise(rounds, chance)
            found |= {f"{name}_{kind}": value for kind, value in zip(KINDS, medians, strict=True)}
            times = ", ".join(f"{kind} {value:.2f}" for kind, value in zip(KINDS, medians, strict=True))
            say(f"  {name}: {times} ms; apart {found[f'{name}_spread']:.3f}, noise {found[f'{name}_noise']:.3f}")
            say(f"    always {caller.answers[name][:100]}")
    return found


def _round(caller: Caller, name: str, number: int, chance: random.Random) -> Round:
    seconds = {kind: caller.ask(name, kind, number % PEOPLE) for kind in chance.sample(KINDS, len(KINDS))}
    return tuple(seconds[kind] for kind in KINDS)


def _spread(rounds: list[Round]) -> float:
    medians = [median(column) for column in zip(*rounds, strict=True)]
    return float(max(medians) - min(medians))


def _noise(rounds: list[Round], chance: random.Random) -> float:
    """What 99 of 100 spreads stay below when the kinds of each round are dealt anew, so that they cannot matter."""
    dealt = sorted(
        _spread([tuple(chance.sample(each, len(each))) for each in rounds])  # one round stays one round: drift
        for _ in range(SHUFFLES)
    )
    return dealt[SHUFFLES * 99 // 100]


@contextmanager
def _populated(peer: Peer, backends: Backends) -> Iterator[Caller]:
    """People sign up while that tells something; then the service starts again with an address that must be proved."""
    with running(peer, "own", backends, 14, AUTHAPI_TRUSTED_PROXIES="127.0.0.1/32") as contestant:
        caller = Caller(contestant)
        for kind in KINDS[1:]:
            for number in range(PEOPLE):
                _post(caller, "signup", {"email": _email(kind, number), "password": RIGHT}, 201)
        for number in range(PEOPLE):
            _post(caller, "login", {"email": _email("locked", number), "password": WRONG}, 401)
        backends.run(
            contestant.database,
            "UPDATE users SET email_verified_at = now() WHERE email_key NOT LIKE 'unverified%'",
            "UPDATE users SET disabled_at = now() WHERE email_key LIKE 'disabled%'",
            "UPDATE sign_in_failures SET blocked_until = now() + interval '1 hour'",
        )
        contestant.stop()
        contestant.environment["AUTHAPI_EMAIL_VERIFICATION"] = "required"
        contestant.start()
        yield caller


def _post(caller: Caller, name: str, fields: Mapping[str, str], status: int) -> None:
    answer = post(caller.contestant.url + CALLS[name], fields, caller.headers())
    if answer.status != status:
        raise Failed(f"{name} of {fields['email']}: {answer.status} {answer.text[:200]}")


def _email(kind: str, number: int) -> str:
    """All of one length."""
    return f"{kind:-<10}{number:03}@example.com"


def _body(name: str, kind: str, number: int) -> str:
    fields = {"email": _email(kind, number)}
    if name == "signup":
        fields["password"] = RIGHT
    if name == "login":
        fields["password"] = RIGHT if kind in KNOWS_THE_PASSWORD else WRONG
    return json.dumps(fields)


def _without_what_varies(answer: Answer) -> str:
    headers = [(name, value) for name, value in answer.headers if name.lower() not in VARYING]
    text = answer.text.replace(answer.header("x-request-id") or "", "…")
    return f"{answer.status} {text} {headers}"
