"""A forgotten password: a link by mail, and a new one."""

import httpx
import pytest
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.methods.password.reset import LIFETIME
from tests.conftest import Start
from tests.support.emails import alike, forgot, is_invalid, prove, reset
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PASSWORD, PREFIX, Person, log_in, sign_up
from tests.support.work import work

NEW = "staple battery horse correct"
RENEWED = ADA | {"password": NEW}


async def link(api: httpx.AsyncClient, inbox: Inbox) -> str:
    await forgot(api)
    return (await inbox.last(to="ada@example.com")).token


async def test_by_the_link_a_person_chooses_a_new_password(ada: Person, inbox: Inbox) -> None:
    reply = await reset(ada.api, await link(ada.api, inbox), NEW)
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA)).status_code == 401
    assert (await log_in(ada.api, RENEWED)).tokens["user"]["id"] == ada.tokens["user"]["id"]


async def test_nobody_is_signed_in_by_it_and_everybody_is_signed_out(ada: Person, inbox: Inbox) -> None:
    await prove(ada.api, inbox)
    phone = await log_in(ada.api)
    token = await link(ada.api, inbox)
    assert "set-cookie" not in (await reset(ada.api, token, NEW)).headers
    for person in (ada, phone):
        assert (await person.session()).json()["reason"] == "password_reset"
        assert (await person.refresh()).json()["code"] == "session_ended"


async def test_the_owner_is_told(ada: Person, inbox: Inbox) -> None:
    await reset(ada.api, await link(ada.api, inbox), NEW)
    letter = await inbox.last()
    assert letter.to == "ada@example.com"
    assert "ot_" not in letter.text
    assert len(await inbox.all()) == 3


async def test_a_link_is_good_once(ada: Person, inbox: Inbox) -> None:
    token = await link(ada.api, inbox)
    await reset(ada.api, token, NEW)
    assert is_invalid(await reset(ada.api, token, "another fine long phrase"))
    await log_in(ada.api, RENEWED)


async def test_a_link_is_good_for_half_an_hour(ada: Person, inbox: Inbox, clock: MovedClock) -> None:
    token = await link(ada.api, inbox)
    clock.advance(seconds=LIFETIME)
    assert is_invalid(await reset(ada.api, token, NEW))
    token = await link(ada.api, inbox)
    clock.advance(seconds=LIFETIME - 5)
    assert (await reset(ada.api, token, NEW)).status_code == 204


@pytest.mark.parametrize(
    ("password", "reason"), [("password1", "common"), ("short", "too_short"), ("ada.lovelace.1815", "personal")]
)
async def test_a_weak_password_leaves_the_link_good(
    api: httpx.AsyncClient, inbox: Inbox, password: str, reason: str
) -> None:
    await sign_up(api, ADA, first_name="Ada", last_name="Lovelace")
    token = await link(api, inbox)
    reply = await reset(api, token, password)
    assert (reply.status_code, reply.json()["code"], reply.json()["reason"]) == (422, "weak_password", reason)
    assert (await reset(api, token, NEW)).status_code == 204


@pytest.mark.parametrize("token", ["", "x", "ot_" + "x" * 43, "ot_"])
async def test_without_a_link_nothing_is_hashed(
    api: httpx.AsyncClient, ctx: Context, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with work(ctx, monkeypatch) as done:
        assert is_invalid(await reset(api, token, NEW))
    assert "_hash" not in done


async def test_a_link_dies_with_the_password(ada: Person, inbox: Inbox) -> None:
    token = await link(ada.api, inbox)
    body = {"current_password": PASSWORD, "password": NEW}
    headers = {"Authorization": f"Bearer {ada.access_token}"}
    assert (await ada.api.post(f"{PREFIX}/password/change", json=body, headers=headers)).status_code == 204
    assert is_invalid(await reset(ada.api, token, NEW))


async def test_a_reset_ends_what_else_was_sent(ada: Person, inbox: Inbox) -> None:
    verification = (await inbox.last()).token
    await reset(ada.api, await link(ada.api, inbox), NEW)
    reply = await ada.api.post(f"{PREFIX}/email/verify", json={"token": verification})
    assert is_invalid(reply)


async def test_a_reset_proves_the_address_and_voids_what_a_squatter_chose(api: httpx.AsyncClient, inbox: Inbox) -> None:
    squatter = await sign_up(api, ADA, first_name="Mallory")
    await reset(api, await link(api, inbox), NEW)
    assert (await squatter.refresh()).json()["reason"] == "account_claimed"
    owner = await log_in(api, RENEWED)
    assert (owner.tokens["user"]["email_verified"], owner.tokens["user"]["first_name"]) == (True, None)
    assert (await owner.session()).json()["methods"] == ["password"]


async def test_a_reset_leaves_a_proved_persons_name(api: httpx.AsyncClient, inbox: Inbox) -> None:
    await sign_up(api, ADA, first_name="Ada")
    await prove(api, inbox)
    await reset(api, await link(api, inbox), NEW)
    assert (await log_in(api, RENEWED)).tokens["user"]["first_name"] == "Ada"


async def test_a_disabled_person_gets_no_link_and_can_use_none(ada: Person, inbox: Inbox, ctx: Context) -> None:
    token = await link(ada.api, inbox)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now()"))
    assert is_invalid(await reset(ada.api, token, NEW))
    before = len(await inbox.all())
    await forgot(ada.api)
    assert len(await inbox.all()) == before


async def test_a_person_who_has_to_wait_can_sign_in_after_a_reset(ada: Person, inbox: Inbox) -> None:
    for _ in range(8):
        await ada.api.post(f"{PREFIX}/login", json=ADA | {"password": "not this one"})
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA)).status_code == 401
    await reset(ada.api, await link(ada.api, inbox), NEW)
    await log_in(ada.api, RENEWED)


async def test_forgetting_is_one_answer_and_one_work_for_everybody(
    ada: Person, inbox: Inbox, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unverified, verified, disabled, locked, unknown."""
    for name in ("bob", "carol", "dave"):
        await sign_up(ada.api, {"email": f"{name}@example.com", "password": PASSWORD})
    await prove(ada.api, inbox, "bob@example.com")
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email_key = 'carol@example.com'"))
    for _ in range(7):
        await ada.api.post(f"{PREFIX}/login", json={"email": "dave@example.com", "password": "not this one"})
    before = len(await inbox.all())
    replies, costs = [], []
    for name in ("ada", "bob", "carol", "dave", "nobody"):
        with work(ctx, monkeypatch) as done:
            replies.append(await forgot(ada.api, f"{name}@example.com"))
        costs.append(done)
    assert len({str(alike(reply)) for reply in replies}) == 1
    assert costs == [costs[0]] * 5
    assert [letter.to for letter in (await inbox.all())[before:]] == [
        "ada@example.com",
        "bob@example.com",
        "dave@example.com",
    ]


async def test_the_link_goes_to_the_address_that_is_stored(ada: Person, inbox: Inbox) -> None:
    await forgot(ada.api, "ADA@Example.com")
    assert (await inbox.last()).to == "ada@example.com"


async def test_the_link_leads_where_the_settings_say_whatever_the_request_claims(ada: Person, inbox: Inbox) -> None:
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "Origin": "https://app.example.com",
    }
    await ada.api.post(f"{PREFIX}/password/forgot", json={"email": "ada@example.com"}, headers=headers)
    letter = await inbox.last()
    assert letter.link.startswith("http://127.0.0.1:8000/reset#token=ot_")
    assert "evil" not in letter.text + letter.html


async def test_one_mailbox_gets_only_so_many_links(start: Start) -> None:
    _, api = await start(limits_scale=1)
    body = {"email": "ada@example.com"}
    statuses = [(await api.post(f"{PREFIX}/password/forgot", json=body)).status_code for _ in range(6)]
    assert statuses == [202] * 5 + [429]
    await forgot(api, "bob@example.com")


async def test_somebody_elses_account_is_untouched(ada: Person, inbox: Inbox) -> None:
    bob = await sign_up(ada.api, BOB)
    await reset(ada.api, await link(ada.api, inbox), NEW)
    assert (await bob.session()).status_code == 200
    await log_in(ada.api, BOB)


async def test_a_reset_is_on_record(ada: Person, inbox: Inbox, ctx: Context) -> None:
    token = await link(ada.api, inbox)
    await reset(ada.api, token, NEW)
    async with ctx.db() as tx:
        events = (await tx.scalars(select(AuditEvent).order_by(AuditEvent.at))).all()
    names = [event.name for event in events]
    assert names[names.index("password.reset_asked") :] == [
        "password.reset_asked",
        "session.ended",
        "user.claimed",
        "email.verified",
        "password.reset",
    ]
    assert not [event for event in events if token in str(event.data) or NEW in str(event.data)]
