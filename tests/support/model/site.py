"""The model over HTTP: what is asked of the processes, and what must hold after each step."""

import asyncio
import random
import time
from base64 import urlsafe_b64decode
from collections import Counter
from json import loads
from typing import Any

import httpx

from tests.support.model.cast import ROWS, Account, Record, record
from tests.support.model.machines import SESSIONS, Instance, Machines
from tests.support.model.orders import Request
from tests.support.model.reference import SECOND, Token
from tests.support.model.watch import Moment, Violation
from tests.support.people import PASSWORD, PREFIX, bearer

LEEWAY = 30
"""Seconds that an access token may be accepted past its expiry."""

WITHIN = 1.0
"""Seconds in which every instance must refuse the access tokens of a session that has ended (I12)."""

REMEMBERED = 6
"""Ended sessions that are still looked at, the latest."""

TRAIL = 40

NOBODY = "00000000-0000-4000-8000-000000000000"
CASES = {
    "invalid_token": "invalid",
    "session_ended": "ended",
    "session_expired": "expired",
    "token_reused": "reused",
    "session_state_lost": "state_lost",
    "reload_tokens": "reload",
}


class Site:
    """Whatever a client may do, and the expectations of all sessions; `deeds` chooses."""

    def __init__(self, machines: Machines, seed: int) -> None:
        self.machines, self.seed = machines, seed
        self.chance = random.Random(seed)  # noqa: S311
        self.records: list[Record] = []
        self.accounts = [Account({"email": f"{n}-{seed}@example.com", "password": PASSWORD}) for n in ("ada", "bob")]
        self.seen: Counter[str] = Counter()
        self.trail: list[str] = []
        self.is_down = False
        """Postgres is: nothing but 503 is expected."""

    def note(self, deed: str) -> None:
        self.trail = [*self.trail[-TRAIL:], f"  {self.machines.now():,} µs  {deed}"]

    def any_instance(self) -> Instance:
        return self.chance.choice(self.machines.instances)

    def any_record(self) -> Record:
        """Mostly one that lives."""
        living = [each for each in self.records if self.lives(each)]
        return self.chance.choice(living if living and self.chance.random() < 0.9 else self.records)

    def any_token(self, record: Record) -> Token:
        """Any that was ever seen, mostly one of the newest."""
        reference, fate = record.reference, self.chance.random()
        known = [token for token in (reference.current, reference.parent) if token and token.name in record.texts]
        if fate < 0.45 and known:
            return known[0]
        if fate < 0.75 and known:
            return known[-1]
        return self.chance.choice(record.tokens[-4:] if fate < 0.9 else record.tokens)

    async def send(self, record: Record, token: Token, instance: Instance) -> Request:
        """Refreshes. Without an answer, or with 503 while a part is down, nobody knows whether it was done."""
        try:
            reply = await self.post(instance, "/refresh", {"refresh_token": record.text(token)})
        except httpx.TransportError:
            return Request(token, None)
        if reply.status_code == 503:
            self.unavailable(reply)
            return Request(token, None)
        body = reply.json()
        case = body["rotation"] if reply.status_code == 200 else CASES.get(body["code"])
        if case is None:
            raise Violation(f"I15: {reply.status_code} {body}")
        self.seen[case] += 1
        if reply.status_code != 200:
            return Request(token, case)
        record.access = [*record.access[-3:], body["access_token"]]
        return Request(token, case, record.learn(body["refresh_token"]))

    def unavailable(self, reply: httpx.Response) -> None:
        body = reply.json()
        if (reply.status_code, body["code"], body["action"]) != (503, "unavailable", "retry"):
            raise Violation(f"I15: {reply.status_code} {body} while a part was down")
        if not self.is_down or int(reply.headers["retry-after"]) < 1 or "set-cookie" in reply.headers:
            raise Violation(f"I15: {body} with {reply.headers}")

    async def log_out(self, record: Record, token: Token, instance: Instance) -> Request:
        reply = await self.post(instance, "/logout", {"refresh_token": record.text(token)})
        if reply.status_code != 204:
            raise Violation(f"I10: a logout answered {reply.status_code} {reply.text}")
        self.seen["logout"] += 1
        return Request(None, "logout")

    async def post(self, instance: Instance, path: str, body: Any, token: str | None = None) -> httpx.Response:
        headers = bearer(token) if token else {}
        return await instance.client.post(f"{PREFIX}{path}", json=body, headers=headers)

    async def is_accepted(self, token: str, instance: Instance, *, by_postgres: bool) -> bool:
        """By the one statement of `/session`, or by the denylist: there is no such session, for whoever may ask."""
        if by_postgres:
            reply = await instance.client.get(f"{PREFIX}/session", headers=bearer(token))
        else:
            reply = await instance.client.delete(f"{PREFIX}/sessions/{NOBODY}", headers=bearer(token))
        if reply.status_code not in (200, 401, 404):
            raise Violation(f"I15: {reply.status_code} {reply.text}")
        return reply.status_code != 401

    async def present_access(self, record: Record, token: str) -> None:
        """I13: good while it has not expired and its session lives. I12: and not a moment longer than a second."""
        instance, by_postgres = self.any_instance(), self.chance.random() < 0.5
        before = self.machines.now()
        accepted = await self.is_accepted(token, instance, by_postgres=by_postgres)
        now, expires = self.machines.now(), expiry(token)
        self.seen["access accepted" if accepted else "access refused"] += 1
        lives = not record.is_ended and now < record.reference.until
        if accepted and (record.is_ended or before >= expires + LEEWAY * SECOND):
            raise Violation(f"I12: an access token of session {record.id} was accepted: {record.reference}")
        if not accepted and lives and now < expires:
            raise Violation(f"I13: an access token of session {record.id} was refused: {record.reference}")

    async def refused(self, record: Record, *, within: float = WITHIN) -> None:
        """I7, I10, I12: on every instance, by the denylist and by Postgres."""
        end = time.monotonic() + within
        for instance in self.machines.instances:
            for token in record.access[-2:]:
                for by_postgres in (False, True):
                    while await self.is_accepted(token, instance, by_postgres=by_postgres):
                        if time.monotonic() > end:
                            raise Violation(f"I12: still accepted after {within} s: {record.reference}")
                        await asyncio.sleep(0.02)

    async def settle(self, early: int, requests: dict[str, list[Request]], *, ended: dict[str, str]) -> None:
        """After a step. `requests` by session, `ended` the reasons of those ended from elsewhere; the rest stays."""
        at = Moment(early, self.machines.now())
        rows = {row["id"]: row for row in await self.machines.rows(ROWS, [each.id for each in self.records])}
        for each in self.records:
            was_ended, row = each.is_ended, rows[each.id]
            if each.id in requests:
                each.settle(row, requests[each.id], at)
            elif each.id in ended and not was_ended:
                each.ended(row, ended[each.id])
            elif row != each.row:
                raise Violation(f"I9: nobody asked for it, yet {dict(each.row)} has become {dict(row)}")
            if each.is_ended and not was_ended:
                await self.refused(each)
        ended_ones = [each for each in self.records if each.is_ended or at.late >= each.reference.until]
        for old in ended_ones[:-REMEMBERED]:
            self.records.remove(old)

    async def begin(self, path: str, account: Account) -> None:
        """Signs up or in. Whoever has too many sessions loses the oldest."""
        early = self.machines.now()
        reply = await self.post(self.any_instance(), path, account.credentials)
        if reply.status_code not in (200, 201):
            raise Violation(f"a sign-in answered {reply.status_code} {reply.text}")
        live = [each for each in self.records if each.owner is account and self.lives(each)]
        ended = (
            {each.id: "too_many_sessions" for each in live[: len(live) - SESSIONS + 1]} if len(live) >= SESSIONS else {}
        )
        await self.settle(early, {}, ended=ended)
        row = (await self.machines.rows(ROWS, [reply.json()["session_id"]]))[0]
        self.records.append(record(reply.json(), account, row, window=self.machines.window))

    def lives(self, record: Record) -> bool:
        return not record.is_ended and self.machines.now() < record.reference.until

    def may_ask(self, record: Record) -> bool:
        """Whether its newest access token is good."""
        return self.lives(record) and self.machines.now() + SECOND < expiry(record.access[-1])


def expiry(token: str) -> int:
    """`exp` in microseconds, unverified."""
    payload = token.split(".")[1]
    return int(loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]) * SECOND
