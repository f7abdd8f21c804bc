"""Confirming the password: the sign-in counts as recent again, in the same session."""

import httpx
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.sessions.caller import RECENT
from tests.support.outside import MovedClock
from tests.support.people import ADA, PASSWORD, PREFIX, Person, bearer

ME = "/api/v1/users/me"
LATER = {"seconds": RECENT + 1}


async def confirm(person: Person, password: str = PASSWORD) -> httpx.Response:
    body = {"password": password}
    return await person.api.post(f"{PREFIX}/password/confirm", json=body, headers=bearer(person.access_token))


async def test_after_it_a_call_that_needs_a_recent_sign_in_passes(ada: Person, clock: MovedClock) -> None:
    clock.advance(**LATER)
    refused = await ada.api.delete(ME, headers=bearer(ada.access_token))
    assert (refused.status_code, refused.json()["code"]) == (403, "recent_sign_in_needed")
    reply = await confirm(ada)
    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "token_type", "expires_in", "server_time"}
    assert (reply.json()["token_type"], reply.json()["expires_in"]) == ("Bearer", 900)
    assert (await ada.api.delete(ME, headers=bearer(ada.access_token))).status_code == 403
    assert (await ada.api.delete(ME, headers=bearer(reply.json()["access_token"]))).status_code == 202


async def test_the_session_stays_the_same_and_its_next_tokens_know(ada: Person, clock: MovedClock) -> None:
    clock.advance(**LATER)
    fresh = (await confirm(ada)).json()["access_token"]
    session = await ada.api.get(f"{PREFIX}/session", headers=bearer(fresh))
    assert session.json()["session"]["id"] == ada.session_id
    assert (await ada.refresh()).status_code == 200
    assert (await ada.api.delete(ME, headers=bearer(ada.access_token))).status_code == 202


async def test_a_wrong_password_confirms_nothing(ada: Person, clock: MovedClock) -> None:
    clock.advance(**LATER)
    reply = await confirm(ada, "not this one")
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_credentials")
    await ada.refresh()
    assert (await ada.api.delete(ME, headers=bearer(ada.access_token))).status_code == 403


async def test_wrong_ones_make_this_session_wait_and_nobody_else(ada: Person, ctx: Context, clock: MovedClock) -> None:
    for _ in range(6):
        assert (await confirm(ada, "not this one")).status_code == 401
    assert (await confirm(ada)).status_code == 401
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA)).status_code == 200
    clock.advance(seconds=1)
    assert (await confirm(ada)).status_code == 200
    async with ctx.db() as tx:
        names = (await tx.scalars(select(AuditEvent.name).where(AuditEvent.name.like("sign_in.%")))).all()
    assert (names.count("sign_in.refused"), names.count("sign_in.confirmed")) == (7, 1)


async def test_strangers_who_fail_for_the_account_do_not_hold_it_up(ada: Person) -> None:
    for _ in range(8):
        await ada.api.post(f"{PREFIX}/login", json=ADA | {"password": "a guess"})
    assert (await confirm(ada)).status_code == 200


async def test_a_session_that_has_just_ended_cannot_be_confirmed(ada: Person, ctx: Context) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE sessions SET ended_at = now(), end_reason = 'logout'"))  # and Redis is not told
    reply = await confirm(ada)
    assert (reply.status_code, reply.json()["code"], reply.json()["reason"]) == (401, "session_ended", "logout")


async def test_it_needs_an_access_token(ada: Person) -> None:
    reply = await ada.api.post(f"{PREFIX}/password/confirm", json={"password": PASSWORD})
    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")
