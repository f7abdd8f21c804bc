"""Refreshing: each row of the table, over HTTP, with a clock that is moved."""

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text, update

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.sessions import rotation
from authapi.sessions.models import Session
from authapi.sessions.service import PURPOSE
from tests.conftest import SECRET, Start
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import PREFIX, Person, bearer, log_in, sign_up


async def test_the_current_token_is_replaced_and_the_session_rolls_on(ada: Person, clock: MovedClock) -> None:
    for _ in range(4):
        clock.advance(days=6)
        before = ada.tokens
        reply = await ada.refresh()
        assert (reply.status_code, reply.json()["rotation"]) == (200, "rotated")
        assert ada.refresh_token != before["refresh_token"]
        assert ada.session_id == before["session_id"]
    assert (await ada.session()).status_code == 200


async def test_a_retry_within_the_window_gets_the_same_successor_and_a_fresh_access_token(ada: Person) -> None:
    parent = ada.refresh_token
    first = (await ada.refresh(parent)).json()
    again = (await ada.refresh(parent)).json()
    assert again["rotation"] == "replayed"
    assert again["refresh_token"] == first["refresh_token"]
    assert again["access_token"] != first["access_token"]
    assert (await ada.refresh(first["refresh_token"])).json()["rotation"] == "rotated"


async def test_a_lost_answer_never_logs_out(ada: Person, clock: MovedClock) -> None:
    parent = ada.refresh_token
    lost = (await ada.refresh(parent)).json()["refresh_token"]
    clock.advance(hours=9)
    reply = await ada.refresh(parent)
    assert (reply.status_code, reply.json()["rotation"]) == (200, "displaced")
    assert reply.json()["refresh_token"] != lost
    assert (await ada.refresh()).status_code == 200


async def test_of_two_successors_only_one_is_ever_good(ada: Person, clock: MovedClock) -> None:
    parent = ada.refresh_token
    unseen = (await ada.refresh(parent)).json()["refresh_token"]
    clock.advance(minutes=5)
    assert (await ada.refresh(parent)).json()["rotation"] == "displaced"
    clock.advance(minutes=5)
    reply = await ada.refresh(unseen)
    assert (reply.status_code, reply.json()["code"]) == (401, "token_reused")


async def test_a_slow_tab_is_told_to_reload(ada: Person) -> None:
    oldest = ada.refresh_token
    await ada.refresh()
    await ada.refresh()
    reply = await ada.api.post(f"{PREFIX}/refresh", json={"refresh_token": oldest})
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (409, "reload_tokens", "reload_tokens")
    assert reply.headers["retry-after"] == "1"
    assert (await ada.refresh()).status_code == 200


async def test_reuse_ends_that_session_at_once_and_no_other(ada: Person, ctx: Context, clock: MovedClock) -> None:
    phone = await log_in(ada.api)
    stolen = ada.refresh_token
    await ada.refresh()
    await ada.refresh()
    clock.advance(minutes=1)
    reply = await ada.api.post(f"{PREFIX}/refresh", json={"refresh_token": stolen})
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (401, "token_reused", "reauthenticate")
    ended = await ada.refresh()
    assert (ended.status_code, ended.json()["code"], ended.json()["reason"]) == (401, "session_ended", "token_reused")
    assert (await ada.session()).json()["reason"] == "token_reused"
    assert (await phone.refresh()).status_code == 200
    async with ctx.db() as tx:
        assert "session.token_reused" in (await tx.scalars(select(AuditEvent.name))).all()


async def test_of_a_reuse_the_owner_learns_by_mail(ada: Person, inbox: Inbox, clock: MovedClock) -> None:
    stolen = ada.refresh_token
    await ada.refresh()
    await ada.refresh()
    clock.advance(minutes=1)
    thief = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    for _ in range(2):  # the second finds it ended, and tells nothing more
        assert (await ada.api.post(f"{PREFIX}/refresh", json={"refresh_token": stolen}, headers=thief)).is_error
    (letter,) = [each for each in await inbox.all("ada@example.com") if each.subject.startswith("We ended a session")]
    assert "Firefox on Linux" in letter.text


async def test_idle_and_absolute_expiry_are_final(start: Start, clock: MovedClock) -> None:
    _, api = await start(session_absolute_lifetime=30 * 86400)
    ada = await sign_up(api)
    for _ in range(5):
        clock.advance(days=6)
        last = await ada.refresh()
    assert (last.status_code, last.json()["code"], last.json()["reason"]) == (401, "session_expired", "absolute")
    bob = await log_in(api)
    clock.advance(days=7)
    reply = await bob.refresh()
    assert (reply.status_code, reply.json()["reason"]) == (401, "idle")
    assert reply.json()["action"] == "reauthenticate"


async def test_a_session_is_good_until_the_last_second_of_its_seventh_day(ada: Person, clock: MovedClock) -> None:
    clock.advance(days=7, seconds=-2)
    assert (await ada.refresh()).status_code == 200
    clock.advance(days=7, seconds=2)
    assert (await ada.refresh()).status_code == 401


@pytest.mark.parametrize("garbage", ["", "rt_", "rt_" + "A" * 99, "x" * 102, "rt_" + "\u00e9" * 99])
async def test_garbage_is_refused_and_changes_nothing(ada: Person, ctx: Context, garbage: str) -> None:
    async with ctx.db() as tx:
        before = (await tx.execute(text("SELECT * FROM sessions"))).all()
    reply = await ada.api.post(f"{PREFIX}/refresh", json={"refresh_token": garbage})
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")
    async with ctx.db() as tx:
        assert (await tx.execute(text("SELECT * FROM sessions"))).all() == before


async def test_a_token_of_a_session_that_is_not_there_is_invalid(api: httpx.AsyncClient, ctx: Context) -> None:
    token = rotation.mint(ctx.vault.keys(PURPOSE), ctx.random.id(), 0, b"r" * 32)
    reply = await api.post(f"{PREFIX}/refresh", json={"refresh_token": token.text()})
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")


async def test_a_token_ahead_of_the_database_is_lost_state_and_no_theft(ada: Person, ctx: Context) -> None:
    row = await _row(ctx)
    await ada.refresh()
    newest = ada.refresh_token
    async with ctx.db.begin() as tx:  # what a failover to a replica that lags does
        older = {"generation": row.generation, "token_hash": row.token_hash, "salt": row.salt}
        await tx.execute(update(Session).values(older))
    reply = await ada.api.post(f"{PREFIX}/refresh", json={"refresh_token": newest})
    assert (reply.status_code, reply.json()["code"]) == (401, "session_state_lost")
    assert (await _row(ctx)).ended_at is None


async def test_without_a_window_a_token_works_once(start: Start) -> None:
    _, api = await start(refresh_reuse_window=0)
    ada = await sign_up(api)
    parent = ada.refresh_token
    assert (await ada.refresh(parent)).json()["rotation"] == "rotated"
    assert (await ada.refresh(parent)).json()["code"] == "token_reused"
    assert (await ada.refresh()).json()["code"] == "session_ended"


async def test_a_disabled_person_cannot_refresh(ada: Person, ctx: Context) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now()"))
    body = (await ada.refresh()).json()
    assert (body["status"], body["code"], body["reason"]) == (401, "session_ended", "account_disabled")


async def test_a_refresh_leaves_earlier_access_tokens_alone(ada: Person) -> None:
    first = ada.access_token
    await ada.refresh()
    reply = await ada.api.get(f"{PREFIX}/session", headers=bearer(first))
    assert reply.status_code == 200


async def test_tokens_outlive_a_change_of_the_root_secret(start: Start) -> None:
    _, api = await start()
    ada = await sign_up(api)
    parent = ada.refresh_token
    current = (await ada.refresh(parent)).json()["refresh_token"]
    newer = SecretStr("a newer root secret for the tests, 9876543210")
    _, second = await start(secret=newer, earlier_secrets=(SecretStr(SECRET),))
    replayed = await ada.refresh(parent, at=second)
    assert (replayed.json()["rotation"], replayed.json()["refresh_token"]) == ("replayed", current)
    assert (await ada.refresh(at=second)).json()["rotation"] == "rotated"
    assert (await ada.session(at=second)).status_code == 200


async def test_the_database_holds_only_the_hash(ada: Person, ctx: Context) -> None:
    row = await _row(ctx)
    presented = rotation.read(ctx.vault.keys(PURPOSE), ada.refresh_token)
    assert presented
    assert row.token_hash == presented.hash
    async with ctx.db() as tx:
        dump = str((await tx.execute(text("SELECT s::text FROM sessions AS s"))).all())
    assert ada.refresh_token not in dump
    assert presented.raw.hex() not in dump


async def test_a_session_that_refreshes_too_often_has_to_wait_and_others_do_not(start: Start) -> None:
    _, api = await start(limits={"sessions.refresh": "5/minute"}, limits_scale=1)
    ada, bob = await sign_up(api), await log_in(api)
    statuses = [(await ada.refresh()).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert (await bob.refresh()).status_code == 200


async def _row(ctx: Context) -> Session:
    async with ctx.db() as tx:
        return (await tx.scalars(select(Session))).one()
