"""Signing up and logging in."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.methods.password.models import Password
from tests.conftest import Start
from tests.support.people import ADA, BOB, PASSWORD, PREFIX, Person, log_in, sign_up


async def test_a_new_person_signs_up_and_is_signed_in(api: httpx.AsyncClient) -> None:
    reply = await api.post(f"{PREFIX}/signup", json=ADA | {"first_name": "Ada", "last_name": "Lovelace"})
    assert reply.status_code == 201
    body = reply.json()
    assert (body["status"], body["token_type"], body["expires_in"]) == ("signed_in", "Bearer", 900)
    assert body["user"]["email"] == "ada@example.com"
    assert (body["user"]["first_name"], body["user"]["email_verified"]) == ("Ada", False)
    assert body["session"]["id"] == body["session_id"]
    assert 540 <= body["refresh_in"] <= 720
    assert reply.headers["cache-control"] == "no-store"


async def test_a_person_logs_in_again_and_gets_a_session_of_its_own(api: httpx.AsyncClient) -> None:
    first = await sign_up(api)
    second = await log_in(api)
    assert first.session_id != second.session_id
    assert first.tokens["user"]["id"] == second.tokens["user"]["id"]


@pytest.mark.parametrize("spelling", ["ADA@example.com", "ada@EXAMPLE.COM", " ada@example.com "])
async def test_another_spelling_of_the_address_is_the_same_person(api: httpx.AsyncClient, spelling: str) -> None:
    await sign_up(api)
    assert (await api.post(f"{PREFIX}/signup", json=ADA | {"email": spelling})).status_code == 409
    assert (await api.post(f"{PREFIX}/login", json=ADA | {"email": spelling})).status_code == 200


async def test_a_taken_address_says_so_and_changes_nothing(api: httpx.AsyncClient) -> None:
    await sign_up(api)
    reply = await api.post(f"{PREFIX}/signup", json=ADA | {"password": "another fine long phrase"})
    assert (reply.status_code, reply.json()["code"]) == (409, "email_taken")
    assert (await api.post(f"{PREFIX}/login", json=ADA)).status_code == 200


async def refusal(api: httpx.AsyncClient, credentials: dict[str, str]) -> tuple[int, dict[str, Any], set[str]]:
    reply = await api.post(f"{PREFIX}/login", json=credentials)
    body = reply.json()
    del body["request_id"]
    return reply.status_code, body, set(reply.headers)


async def test_unknown_wrong_and_disabled_are_one_answer(api: httpx.AsyncClient, ctx: Context) -> None:
    await sign_up(api)
    await sign_up(api, BOB)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email_key = 'bob@example.com'"))
    wrong = await refusal(api, ADA | {"password": "not this one"})
    assert wrong[0] == 401
    assert wrong[1]["code"] == "invalid_credentials"
    assert await refusal(api, {"email": "nobody@example.com", "password": PASSWORD}) == wrong
    assert await refusal(api, BOB) == wrong


async def test_an_unknown_address_costs_as_many_hashes_as_a_wrong_password(
    api: httpx.AsyncClient, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_up(api)
    costs = []
    for email in ("ada@example.com", "nobody@example.com"):
        hashes = 0
        run = type(ctx.hasher).run

        async def counted(self: Any, func: Any, *args: Any, run: Any = run, **kwargs: Any) -> Any:
            nonlocal hashes
            hashes += 1
            return await run(self, func, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(type(ctx.hasher), "run", counted)
            await api.post(f"{PREFIX}/login", json={"email": email, "password": "not this one"})
        costs.append(hashes)
    assert costs == [1, 1]


async def test_refused_and_passed_sign_ins_are_on_record(api: httpx.AsyncClient, ctx: Context) -> None:
    await sign_up(api)
    await refusal(api, ADA | {"password": "not this one"})
    async with ctx.db() as tx:
        names = (await tx.scalars(select(AuditEvent.name).order_by(AuditEvent.at))).all()
    assert names == ["user.signed_up", "sign_in.passed", "sign_in.refused"]


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("1234567", "too_short"),
        ("x" * 1025, "too_long"),
        ("password1", "common"),
        ("ada.lovelace", "personal"),
        ("ada@example.com", "personal"),
        ("aaaaaaaaaaaa", "guessable"),
    ],
)
async def test_a_weak_password_is_refused_with_its_reason(api: httpx.AsyncClient, password: str, reason: str) -> None:
    body = ADA | {"password": password, "first_name": "Ada", "last_name": "Lovelace"}
    reply = await api.post(f"{PREFIX}/signup", json=body)
    assert (reply.status_code, reply.json()["code"], reply.json()["reason"]) == (422, "weak_password", reason)
    assert reply.json()["errors"][0]["pointer"] == "/password"
    assert reply.json()["detail"]
    if password != "password1":
        assert password not in reply.text


@pytest.mark.parametrize("set_as", ["caf\u00e9 und zwei Kuchen", "cafe\u0301 und zwei Kuchen"])
async def test_a_password_is_the_same_in_either_unicode_form(api: httpx.AsyncClient, set_as: str) -> None:
    await sign_up(api, ADA | {"password": set_as})
    for spelling in ("caf\u00e9 und zwei Kuchen", "cafe\u0301 und zwei Kuchen"):
        assert (await api.post(f"{PREFIX}/login", json=ADA | {"password": spelling})).status_code == 200


@pytest.mark.parametrize("other", [PASSWORD + " ", " " + PASSWORD, PASSWORD.title(), PASSWORD[:-1]])
async def test_nothing_else_of_a_password_is_forgiven(api: httpx.AsyncClient, ada: Person, other: str) -> None:
    assert (await api.post(f"{PREFIX}/login", json=ADA | {"password": other})).status_code == 401


async def test_every_byte_of_a_long_password_counts(api: httpx.AsyncClient) -> None:
    long = "seventy-three bytes and more: " + "wandering albatross " * 4
    await sign_up(api, ADA | {"password": long})
    assert (await api.post(f"{PREFIX}/login", json=ADA | {"password": long[:-1]})).status_code == 401
    assert (await api.post(f"{PREFIX}/login", json=ADA | {"password": long})).status_code == 200


async def test_a_login_hashes_anew_when_the_parameters_have_changed(start: Start) -> None:
    old, api = await start(argon2_time=1)
    await sign_up(api)
    new, api = await start(argon2_time=2)
    async with new.db() as tx:
        before = (await tx.scalars(select(Password.hash))).one()
    await log_in(api)
    async with new.db() as tx:
        after = (await tx.scalars(select(Password.hash))).one()
    assert "t=1" in before
    assert "t=2" in after
    await log_in(api)
    assert old.hasher.needs_rehash(after)


async def test_too_many_logins_from_one_address_have_to_wait(start: Start) -> None:
    _, api = await start(limits_scale=1, limits={"password.login.address": "2/15 minutes"})
    await sign_up(api)
    assert [(await api.post(f"{PREFIX}/login", json=ADA)).status_code for _ in range(2)] == [200, 200]
    reply = await api.post(f"{PREFIX}/login", json=ADA)
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (429, "too_many_requests", "wait")
    assert int(reply.headers["retry-after"]) == reply.json()["retry_after"] > 0
    assert reply.headers["ratelimit"].startswith('"password.login.address";r=0;t=')


async def test_a_login_tells_where_the_callers_address_stands(start: Start) -> None:
    _, api = await start(limits_scale=1)
    for left in (299, 298):
        reply = await api.post(f"{PREFIX}/login", json=ADA)
        assert reply.headers["ratelimit-policy"] == '"password.login.address";q=300;w=900'
        name, remaining, reset = reply.headers["ratelimit"].split(";")
        assert (name, remaining) == ('"password.login.address"', f"r={left}")
        assert 890 <= int(reset.removeprefix("t=")) <= 900


async def test_without_remember_me_a_session_is_shorter(api: httpx.AsyncClient, clock: Any) -> None:
    ada = await sign_up(api, remember_me=False)
    clock.advance(hours=23)
    assert (await ada.refresh()).status_code == 200
    clock.advance(hours=24, seconds=1)
    assert (await ada.refresh()).json()["code"] == "session_expired"


async def test_the_newest_fifty_sessions_stay(start: Start) -> None:
    _, api = await start(sessions_per_user=3)
    people = [await sign_up(api)] + [await log_in(api) for _ in range(3)]
    first = await people[0].refresh()
    assert (first.status_code, first.json()["reason"]) == (401, "too_many_sessions")
    assert first.json()["ended_by"]["session_id"] == people[3].session_id
    assert (await people[0].session()).status_code == 401
    for person in people[1:]:
        assert (await person.session()).status_code == 200
        assert (await person.refresh()).status_code == 200
