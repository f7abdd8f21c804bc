"""The sessions that the model over HTTP knows: what it expects of each, and whether the rows agree."""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from tests.support.model.machines import ABSOLUTE, IDLE
from tests.support.model.orders import Request, explain
from tests.support.model.reference import SECOND, Reference, Token, begun
from tests.support.model.watch import Moment, Violation, Watch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS = """SELECT id::text, generation, token_hash, rotated_at, replayed_at, idle_expires_at, absolute_expires_at,
                 ended_at, end_reason
            FROM sessions WHERE id = ANY($1::text[]::uuid[])"""


NAME = 16
"""Hexadecimal digits of a token's hash that name it."""


@dataclass
class Account:
    credentials: dict[str, str]


@dataclass
class Record:
    """One session. `texts` are all refresh tokens that were ever handed out for it, by their hash."""

    id: str
    owner: Account
    reference: Reference
    watch: Watch
    texts: dict[str, str]
    tokens: list[Token]
    access: list[str] = field(default_factory=list)
    row: Any = None

    @property
    def is_ended(self) -> bool:
        return self.reference.ended is not None

    def text(self, token: Token) -> str:
        return self.texts[token.name]

    def learn(self, text: str) -> Token:
        token = token_of(text)
        if token.name not in self.texts:
            self.texts[token.name] = text
            self.tokens.append(token)
        return token

    def settle(self, row: Any, requests: Sequence[Request], at: Moment) -> None:
        """The answers and the row are what the contract allows. Raises Violation."""
        stored = stored_in(row)

        def fits(after: Reference) -> bool:
            return (after.current, after.ended) == (stored, row["end_reason"])

        found = explain(self.reference, requests, at, stored, fits)
        if found is None:
            raise Violation(f"no order explains {requests} from {self.reference} to {dict(row)} at {at}")
        after, order = found
        seen = (micros(row["rotated_at"]), micros(row["replayed_at"] or row["rotated_at"]), micros(until(row)))
        expected = (after.rotated, after.touched, after.until)
        if any(abs(one - other) > at.late - at.early for one, other in zip(seen, expected, strict=True)):
            raise Violation(f"the row's times are {seen}, the contract says {expected}; {order} at {at}")
        self.reference = replace(after, rotated=seen[0], touched=seen[1], idle_until=seen[2])
        self.row = row
        for request in order:
            self.watch.until = max(self.watch.until, self.reference.until) if request.given else self.watch.until
            if request.token is None:
                self.watch.ended()
            elif request.case is None:
                self.watch.unanswered(request.token)
            else:
                self.watch.answered(request.token, request.case, request.given, at)

    def ended(self, row: Any, reason: str) -> None:
        """Somebody else has ended it, and nothing but that has happened to it."""
        same = ("generation", "token_hash", "rotated_at", "replayed_at", "idle_expires_at")
        if row["end_reason"] != reason or any(row[name] != self.row[name] for name in same):
            raise Violation(f"I10: ended for {reason}, and its row is {dict(row)}")
        self.reference, self.row = replace(self.reference, ended=reason), row
        self.watch.ended()


def record(body: dict[str, Any], owner: Account, row: Any, *, window: int) -> Record:
    """What a sign-in has answered, and the row that it has made."""
    token = token_of(body["refresh_token"])
    start = micros(row["rotated_at"])
    reference = begun(token, start, window=window * SECOND, idle=IDLE * SECOND, absolute=ABSOLUTE * SECOND)
    if micros(until(row)) != reference.until or stored_in(row) != token:
        raise Violation(f"I1: the sign-in answered {token}, the row is {dict(row)}")
    watch = Watch(reference.window, token, reference.until)
    text = body["refresh_token"]
    return Record(body["session_id"], owner, reference, watch, {token.name: text}, [token], [body["access_token"]], row)


def token_of(text: str) -> Token:
    """Read as the contract has it: version (1), key id (1), session id (16), generation (8), random, tag."""
    raw = urlsafe_b64decode(text.removeprefix("rt_") + "=" * (-(len(text) - 3) % 4))
    return Token(sha256(raw).hexdigest()[:NAME], int.from_bytes(raw[18:26]))


def stored_in(row: Any) -> Token:
    """The current token, as the row has it."""
    return Token(row["token_hash"].hex()[:NAME], row["generation"])


def until(row: Any) -> datetime:
    idle: datetime = row["idle_expires_at"]
    return min(idle, row["absolute_expires_at"] or idle)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
