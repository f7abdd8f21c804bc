"""Another address, confirmed where it leads."""

import asyncio

import httpx
import pytest
from sqlalchemy import select, text

from authapi.addresses.change import CONFIRM_WITHIN
from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.sessions import pulse
from authapi.sessions.caller import RECENT
from tests.conftest import Start
from tests.support.emails import ask, confirm, forgot, is_invalid, move, prove, reset, stop
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, bearer, log_in, sign_up
from tests.support.work import work

OLD, NEW, THIRD = "ada@example.com", "ada@example.org", "ada@example.net"


@pytest.fixture
async def eve(ada: Person, inbox: Inbox) -> Person:
    """Ada's account with a proved address: whether she is herself is for each test to say."""
    await prove(ada.api, inbox)
    return ada


async def test_the_link_at_the_new_address_confirms_it(eve: Person, inbox: Inbox) -> None:
    await move(eve, inbox, NEW)
    user = (await eve.session()).json()["user"]
    assert (user["email"], user["email_verified"]) == (NEW, True)
    await log_in(eve.api, ADA | {"email": NEW})
    assert (await eve.api.post(f"{PREFIX}/login", json=ADA)).status_code == 401


async def test_the_code_confirms_it_for_the_person_who_is_signed_in(eve: Person, inbox: Inbox) -> None:
    bob = await sign_up(eve.api, BOB)
    await ask(eve, NEW)
    code = (await inbox.last(to=NEW)).code
    assert (await confirm(eve.api, code=code)).json()["code"] == "token_missing"
    assert is_invalid(await confirm(eve.api, by=bob, code=code))
    assert (await confirm(eve.api, by=eve, code=code)).json() == {"status": "changed", "email": NEW}


async def test_five_wrong_codes_leave_only_the_link(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    letter = await inbox.last(to=NEW)
    for number in range(1, 6):
        wrong = f"{(int(letter.code) + number) % 10**6:06}"
        assert is_invalid(await confirm(eve.api, by=eve, code=wrong))
    assert is_invalid(await confirm(eve.api, by=eve, code=letter.code))
    assert (await confirm(eve.api, token=letter.token)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"token": "x", "code": "123456"}])
async def test_neither_or_both_ways_are_not_valid(api: httpx.AsyncClient, body: dict[str, str]) -> None:
    reply = await api.post(f"{PREFIX}/email/change/confirm", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_it_needs_a_recent_sign_in(eve: Person, clock: MovedClock) -> None:
    clock.advance(seconds=RECENT + 1)
    headers = bearer(eve.access_token)
    reply = await eve.api.post(f"{PREFIX}/email/change", json={"email": NEW}, headers=headers)
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (
        403,
        "recent_sign_in_needed",
        "step_up",
    )
    await ask(await log_in(eve.api), NEW)


async def test_the_session_that_asked_stays_and_all_others_end(eve: Person, inbox: Inbox) -> None:
    phone = await log_in(eve.api)
    await move(phone, inbox, NEW)
    assert (await eve.refresh()).json()["reason"] == "email_changed"
    assert (await eve.session()).status_code == 401
    assert (await phone.refresh()).status_code == 200


async def test_everything_that_was_sent_before_is_void(eve: Person, inbox: Inbox) -> None:
    await forgot(eve.api, OLD)
    token = (await inbox.last(to=OLD)).token
    await move(eve, inbox, NEW)
    assert is_invalid(await reset(eve.api, token, "staple battery horse correct"))


async def test_link_and_code_are_good_for_an_hour(eve: Person, inbox: Inbox, clock: MovedClock) -> None:
    await ask(eve, NEW)
    token = (await inbox.last(to=NEW)).token
    clock.advance(seconds=CONFIRM_WITHIN)
    assert is_invalid(await confirm(eve.api, token=token))


async def test_only_the_last_change_that_was_asked_for_can_be_confirmed(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    first = (await inbox.last(to=NEW)).token
    await move(eve, inbox, THIRD)
    assert is_invalid(await confirm(eve.api, token=first))


async def test_both_addresses_are_told_before_and_the_old_one_after(eve: Person, inbox: Inbox) -> None:
    before = len(await inbox.all())
    await move(eve, inbox, NEW)
    letters = (await inbox.all())[before:]
    assert sorted(letter.to for letter in letters) == [OLD, OLD, NEW]
    assert sum("ot_" in letter.text for letter in letters) == 2
    assert all(NEW in letter.text for letter in letters if letter.to == OLD)


async def test_an_address_that_was_never_proved_is_not_told(ada: Person, inbox: Inbox) -> None:
    """It may be a stranger's, who could take the account by stopping the change."""
    before = len(await inbox.all())
    await move(ada, inbox, NEW)
    assert [letter.to for letter in (await inbox.all())[before:]] == [NEW]


async def test_another_spelling_of_ones_own_address_can_be_had(eve: Person, inbox: Inbox) -> None:
    await move(eve, inbox, "Ada@example.com")
    await log_in(eve.api, ADA)


async def test_an_address_that_is_taken_is_asked_for_like_any_other(
    eve: Person, inbox: Inbox, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_up(eve.api, BOB)
    await prove(eve.api, inbox, BOB["email"])
    costs = []
    for email in (BOB["email"], NEW):
        await pulse.beat(ctx)  # or on a slow machine the denylist would ask Postgres, the second time
        with work(ctx, monkeypatch) as done:
            await ask(eve, email)
        costs.append(done)
    assert costs[0] == costs[1]


async def test_the_owner_of_a_taken_address_is_told_and_keeps_it(eve: Person, inbox: Inbox) -> None:
    bob = await sign_up(eve.api, BOB)
    await prove(eve.api, inbox, BOB["email"])
    before = len(await inbox.all())
    await ask(eve, BOB["email"])
    letters = (await inbox.all())[before:]
    told = [letter for letter in letters if letter.to == BOB["email"]]
    assert len(told) == 1
    assert "ot_" not in told[0].text
    assert (await bob.session()).status_code == 200


async def test_an_address_that_was_never_proved_is_taken_from_who_has_it(
    eve: Person, inbox: Inbox, ctx: Context
) -> None:
    squatter = await sign_up(eve.api, ADA | {"email": NEW})
    await inbox.all()
    await move(eve, inbox, NEW)
    assert (await squatter.session()).json()["code"] == "session_ended"
    assert (await squatter.refresh()).status_code == 401
    user = (await log_in(eve.api, ADA | {"email": NEW})).tokens["user"]
    assert user["id"] == eve.tokens["user"]["id"]
    async with ctx.db() as tx:
        displaced = (await tx.scalars(select(AuditEvent).where(AuditEvent.name == "user.displaced"))).one()
    assert str(displaced.user_id) == squatter.tokens["user"]["id"]


async def test_an_address_that_was_proved_meanwhile_is_not_taken(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    token = (await inbox.last(to=NEW)).token
    other = await sign_up(eve.api, ADA | {"email": NEW})
    await prove(eve.api, inbox, NEW)
    assert is_invalid(await confirm(eve.api, token=token))
    assert (await eve.session()).json()["user"]["email"] == OLD
    assert (await other.session()).json()["user"]["email"] == NEW


async def test_who_signs_up_at_the_very_moment_of_the_change_loses_to_who_proved_the_address(
    eve: Person, inbox: Inbox, ctx: Context
) -> None:
    await ask(eve, NEW)
    token = (await inbox.last(to=NEW)).token
    async with ctx.db.begin() as tx:
        await tx.execute(
            text("INSERT INTO users (id, email, email_key, created_at) VALUES (:id, :email, :email, now())"),
            {"id": ctx.random.id(), "email": NEW},
        )
        confirming = asyncio.create_task(confirm(eve.api, token=token))
        await asyncio.sleep(0.3)  # until it waits for the row that is being made
    reply = await confirming
    assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
    assert (await confirm(eve.api, token=token)).status_code == 200


async def test_a_disabled_person_changes_and_stops_nothing(eve: Person, inbox: Inbox, ctx: Context) -> None:
    await ask(eve, NEW)
    confirmation, warning = (await inbox.last(to=NEW)).token, (await inbox.last(to=OLD)).token
    before = len(await inbox.all(to=OLD))
    await ask(eve, THIRD)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now()"))
    assert is_invalid(await confirm(eve.api, token=confirmation))
    assert is_invalid(await stop(eve.api, warning))
    assert len(await inbox.all(to=OLD)) == before


async def test_one_person_asks_only_so_often(start: Start) -> None:
    _, api = await start(limits_scale=1)
    ada = await sign_up(api)
    headers = bearer(ada.access_token)
    bodies = [{"email": f"ada{number}@example.org"} for number in range(11)]
    replies = [await api.post(f"{PREFIX}/email/change", json=body, headers=headers) for body in bodies]
    assert [reply.status_code for reply in replies] == [202] * 10 + [429]


async def test_a_change_is_on_record_without_the_addresses(eve: Person, inbox: Inbox, ctx: Context) -> None:
    await ask(eve, NEW)
    warning = (await inbox.last(to=OLD)).token
    await confirm(eve.api, token=(await inbox.last(to=NEW)).token)
    await stop(eve.api, warning)
    async with ctx.db() as tx:
        events = (await tx.scalars(select(AuditEvent).order_by(AuditEvent.at))).all()
    mine = [event for event in events if event.name.startswith("email.")]
    assert [event.name for event in mine] == [
        "email.verified",
        "email.change_asked",
        "email.changed",
        "email.restored",
    ]
    assert "example" not in str([event.data for event in events])
