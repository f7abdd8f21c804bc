"""Looking at sessions and ending them."""

import uuid

import httpx
import pytest
from sqlalchemy import select

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from tests.conftest import Start
from tests.support.outside import MovedClock
from tests.support.people import BOB, PREFIX, Person, bearer, log_in, sign_up


async def test_the_session_says_who_is_asking(ada: Person) -> None:
    reply = await ada.session()
    assert reply.status_code == 200
    body = reply.json()
    assert body["user"]["email"] == "ada@example.com"
    assert (body["session"]["id"], body["session"]["is_current"]) == (ada.session_id, True)
    assert body["methods"] == ["password"]


async def test_all_devices_are_listed_without_secrets(api: httpx.AsyncClient, ada: Person) -> None:
    phone = await log_in(api)
    await sign_up(api, BOB)
    reply = await phone.get("/sessions")
    sessions = reply.json()["sessions"]
    assert [(s["id"], s["is_current"]) for s in sessions] == [(phone.session_id, True), (ada.session_id, False)]
    for secret in (ada.refresh_token, ada.access_token, phone.refresh_token):
        assert secret not in reply.text


async def test_another_device_is_signed_out_and_learns_by_whom(ada: Person) -> None:
    phone = await log_in(ada.api)
    reply = await ada.api.delete(f"{PREFIX}/sessions/{phone.session_id}", headers=bearer(ada.access_token))
    assert reply.status_code == 204
    assert (await phone.session()).json()["reason"] == "ended_elsewhere"
    told = (await phone.refresh()).json()
    assert (told["code"], told["reason"], told["ended_by"]["session_id"]) == (
        "session_ended",
        "ended_elsewhere",
        ada.session_id,
    )
    again = await ada.api.delete(f"{PREFIX}/sessions/{phone.session_id}", headers=bearer(ada.access_token))
    assert again.status_code == 204
    assert len((await ada.get("/sessions")).json()["sessions"]) == 1


async def test_somebody_elses_session_is_unknown(ada: Person) -> None:
    bob = await sign_up(ada.api, BOB)
    for session_id in (bob.session_id, str(uuid.uuid4())):
        reply = await ada.api.delete(f"{PREFIX}/sessions/{session_id}", headers=bearer(ada.access_token))
        assert (reply.status_code, reply.json()["code"]) == (404, "session_unknown")
    assert (await bob.refresh()).status_code == 200


@pytest.mark.parametrize("by", ["refresh_token", "access_token", "old refresh_token"])
async def test_after_logout_neither_token_is_good(ada: Person, by: str) -> None:
    old = ada.refresh_token
    await ada.refresh()
    if by == "access_token":
        reply = await ada.log_out()
    else:
        token = old if by.startswith("old") else ada.refresh_token
        reply = await ada.api.post(f"{PREFIX}/logout", json={"refresh_token": token})
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await ada.session()).json()["code"] == "session_ended"
    assert (await ada.refresh()).json()["reason"] == "logout"


async def test_logging_out_twice_is_fine(ada: Person) -> None:
    for _ in range(2):
        assert (await ada.log_out()).status_code == 204
        assert (await ada.api.post(f"{PREFIX}/logout", json={"refresh_token": ada.refresh_token})).status_code == 204


async def test_logging_out_with_garbage_ends_nothing(ada: Person) -> None:
    assert (await ada.api.post(f"{PREFIX}/logout", json={"refresh_token": "rt_garbage"})).status_code == 204
    assert (await ada.session()).status_code == 200


async def test_logging_out_without_a_token_is_refused(api: httpx.AsyncClient) -> None:
    reply = await api.post(f"{PREFIX}/logout")
    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("scope", "good"), [("this", [0, 1, 1]), ("others", [1, 0, 0]), ("all", [0, 0, 0])])
@pytest.mark.parametrize("by", ["refresh_token", "access_token"])
async def test_logout_reaches_as_far_as_its_scope(api: httpx.AsyncClient, scope: str, good: list[int], by: str) -> None:
    people = [await sign_up(api), await log_in(api), await log_in(api)]
    bob = await sign_up(api, BOB)
    if by == "access_token":
        reply = await people[0].log_out(scope=scope)
    else:
        reply = await api.post(f"{PREFIX}/logout", json={"refresh_token": people[0].refresh_token, "scope": scope})
    assert reply.status_code == 204
    assert [int((await person.session()).status_code == 200) for person in people] == good
    assert [int((await person.refresh()).status_code == 200) for person in people] == good
    assert (await bob.session()).status_code == 200


@pytest.mark.parametrize("scope", ["others", "all"])
async def test_a_dead_token_ends_nobody_elses_session(ada: Person, scope: str) -> None:
    phone = await log_in(ada.api)
    await ada.log_out()
    for body in ({"refresh_token": ada.refresh_token, "scope": scope}, {"refresh_token": "rt_x", "scope": scope}):
        assert (await ada.api.post(f"{PREFIX}/logout", json=body)).status_code == 401
    assert (await ada.log_out(scope=scope)).status_code == 401
    assert (await phone.session()).status_code == 200


async def test_every_end_is_on_record(ada: Person, ctx: Context) -> None:
    await log_in(ada.api)
    await ada.log_out(scope="all")
    async with ctx.db() as tx:
        rows = (await tx.scalars(select(AuditEvent.data).where(AuditEvent.name == "session.ended"))).all()
    assert sorted(row["reason"] for row in rows) == ["ended_elsewhere", "logout"]


async def name(person: Person, label: str | None) -> httpx.Response:
    path = f"{PREFIX}/sessions/{person.session_id}"
    return await person.api.patch(path, json={"label": label}, headers=bearer(person.access_token))


async def test_the_name_that_a_device_has_already_is_not_recorded(ada: Person, ctx: Context) -> None:
    for label in (None, "Phone", "Phone", " Phone", None, None):
        reply = await name(ada, label)
        assert (reply.status_code, reply.json()["label"]) == (200, label and "Phone")
    async with ctx.db() as tx:
        rows = (await tx.scalars(select(AuditEvent.id).where(AuditEvent.name == "session.renamed"))).all()
    assert len(rows) == 2


async def test_devices_are_named_only_so_often(start: Start) -> None:
    _, api = await start(limits_scale=1, limits={"sessions.rename.person": "2/hour"})
    ada, bob = await sign_up(api), await sign_up(api, BOB)
    for label in ("Phone", "Kitchen"):
        assert (await name(ada, label)).status_code == 200
    refused = await name(await log_in(api), "Tablet")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert (await ada.session()).json()["session"]["label"] == "Kitchen"
    assert (await name(bob, "Phone")).status_code == 200


async def test_an_expired_access_token_asks_for_a_refresh(ada: Person, clock: MovedClock) -> None:
    clock.advance(minutes=15, seconds=31)
    reply = await ada.session()
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (401, "access_token_expired", "refresh")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    await ada.refresh()
    assert (await ada.session()).status_code == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "bearer"])
async def test_without_a_token_the_call_is_refused(api: httpx.AsyncClient, header: str | None) -> None:
    reply = await api.get(f"{PREFIX}/session", headers={} if header is None else {"Authorization": header})
    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")


async def test_the_front_end_learns_what_it_needs(start: Start) -> None:
    _, api = await start(password_min_length=12)
    body = (await api.get(f"{PREFIX}/config")).json()
    assert body["methods"] == ["password"]
    assert body["password"] == {"min_bytes": 12, "max_bytes": 1024}
    assert body["lifetimes"]["access_token"] == 900
