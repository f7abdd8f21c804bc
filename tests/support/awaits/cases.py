"""What is interrupted: each with a person of its own, made ready, and what the same request is told once it is done."""

import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from argon2 import PasswordHasher
from sqlalchemy import text

from authapi.codes import service as codes
from authapi.codes.service import Issued, Purpose
from authapi.core.context import Context
from authapi.users.verification import binding
from tests.support.calls import Call
from tests.support.outside import MovedClock
from tests.support.people import PASSWORD, PREFIX, Person, bearer, log_in, sign_up

NEW = "staple battery horse correct"
HOUR = 3600


@dataclass(frozen=True)
class Prepared:
    """`ended` are access tokens that must be no good once it is done."""

    call: Call
    headers: dict[str, str] = field(default_factory=dict)
    ended: tuple[str, ...] = ()


@dataclass
class Stage:
    """Where people are made ready, by requests that nothing interrupts."""

    ctx: Context
    api: httpx.AsyncClient
    clock: MovedClock
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def somebody(self) -> dict[str, str]:
        return {"email": f"ada{next(self.numbers)}@example.com", "password": PASSWORD}

    async def person(self) -> Person:
        return await sign_up(self.api, self.somebody())

    async def issued(self, person: Person, purpose: Purpose, *, data: bytes = b"") -> Issued:
        """What they would be sent by mail."""
        bound = binding(person.credentials["email"])
        async with self.ctx.db.begin() as tx:
            user_id = UUID(person.tokens["user"]["id"])
            return await codes.issue(
                self.ctx,
                tx,
                purpose,
                user_id=user_id,
                binding=bound,
                lifetime_seconds=HOUR,
                with_code=purpose is Purpose.VERIFY_ADDRESS,
                data=data,
            )


@dataclass(frozen=True)
class Case:
    """`status` is that of an answer that nothing interrupts, `again` what the same request is told afterwards."""

    name: str
    prepare: Callable[[Stage], Awaitable[Prepared]]
    status: int
    again: int
    settings: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def _post(path: str, **body: object) -> Call:
    return Call("POST", f"{PREFIX}{path}", body)


async def _sign_up(stage: Stage) -> Prepared:
    return Prepared(_post("/signup", **stage.somebody()))


async def _log_in(stage: Stage) -> Prepared:
    person = await stage.person()
    return Prepared(_post("/login", **person.credentials), {"user-agent": stage.api.headers["user-agent"]})


async def _log_in_anew(stage: Stage) -> Prepared:
    """On a new device, with a hash that is no longer as strong as today's."""
    person = await stage.person()
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    mine = "SELECT id FROM credentials WHERE user_id = :id"
    async with stage.ctx.db.begin() as tx:
        statement = text(f"UPDATE passwords SET hash = :hash WHERE credential_id IN ({mine})")
        await tx.execute(statement, {"hash": weak, "id": person.tokens["user"]["id"]})
    return Prepared(_post("/login", **person.credentials), {"user-agent": "another device"})


async def _refresh(stage: Stage) -> Prepared:
    return Prepared(_post("/refresh", refresh_token=(await stage.person()).refresh_token))


async def _refresh_once_more(stage: Stage) -> Prepared:
    person = await stage.person()
    first = person.refresh_token
    await person.refresh()
    return Prepared(_post("/refresh", refresh_token=first))


async def _reuse(stage: Stage) -> Prepared:
    """Two have the token, and both have moved on."""
    person = await stage.person()
    first = person.refresh_token
    await person.refresh()
    await person.refresh()
    stage.clock.advance(minutes=1)
    return Prepared(_post("/refresh", refresh_token=first), ended=(person.access_token,))


async def _reset(stage: Stage) -> Prepared:
    person = await stage.person()
    proof = await stage.issued(person, Purpose.VERIFY_ADDRESS)
    assert (await stage.api.post(f"{PREFIX}/email/verify", json={"token": proof.token})).is_success
    issued = await stage.issued(person, Purpose.RESET_PASSWORD)
    return Prepared(_post("/password/reset", token=issued.token, password=NEW), ended=(person.access_token,))


async def _reset_unproved(stage: Stage) -> Prepared:
    """The link proves the address too, so that nothing stays of what a squatter may have set up."""
    person = await stage.person()
    issued = await stage.issued(person, Purpose.RESET_PASSWORD)
    return Prepared(_post("/password/reset", token=issued.token, password=NEW), ended=(person.access_token,))


async def _verify(stage: Stage) -> Prepared:
    issued = await stage.issued(await stage.person(), Purpose.VERIFY_ADDRESS)
    return Prepared(_post("/email/verify", token=issued.token))


async def _verify_by_code(stage: Stage) -> Prepared:
    person = await stage.person()
    issued = await stage.issued(person, Purpose.VERIFY_ADDRESS)
    return Prepared(_post("/email/verify", email=person.credentials["email"], code=issued.code))


async def _claim(stage: Stage) -> Prepared:
    """By the link of a second sign-up: the first one's sessions and password go."""
    chosen = {"hash": await stage.ctx.hasher.hash(NEW), "first_name": "Ada", "last_name": None}
    person = await stage.person()
    issued = await stage.issued(person, Purpose.VERIFY_ADDRESS, data=json.dumps(chosen).encode())
    return Prepared(_post("/email/verify", token=issued.token), ended=(person.access_token,))


async def _log_out(stage: Stage) -> Prepared:
    return Prepared(_post("/logout", refresh_token=(await stage.person()).refresh_token))


async def _change(stage: Stage) -> Prepared:
    person = await stage.person()
    other = await log_in(stage.api, person.credentials)
    headers = bearer(person.access_token)
    return Prepared(_post("/password/change", current_password=PASSWORD, password=NEW), headers, (other.access_token,))


CASES = (
    Case("login", _log_in, 200, 200, {"sessions_per_user": 1}),
    Case("login-anew", _log_in_anew, 200, 200, {"sessions_per_user": 1}),
    Case("refresh", _refresh, 200, 200),
    Case("refresh-replayed", _refresh_once_more, 200, 200),
    Case("refresh-reused", _reuse, 401, 401),
    Case("reset", _reset, 204, 422),
    Case("reset-unproved", _reset_unproved, 204, 422),
    Case("verify", _verify, 200, 422),
    Case("verify-by-code", _verify_by_code, 200, 422),
    Case("verify-claim", _claim, 200, 422),
    Case("signup", _sign_up, 201, 409),
    Case("signup-unproved", _sign_up, 202, 202, {"email_verification": "required"}),
    Case("logout", _log_out, 204, 204),
    Case("password-change", _change, 204, 401),
)
