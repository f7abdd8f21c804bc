"""Proving an address."""

import httpx
import pytest
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.users.verification import LIFETIME
from tests.conftest import Start
from tests.support.emails import alike, is_invalid, sign_up_quietly, verify
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import BOB, PASSWORD, PREFIX, Person, sign_up

OTHER = "a completely other phrase"


async def test_the_link_of_the_mail_proves_the_address(ada: Person, inbox: Inbox) -> None:
    letter = await inbox.last(to="ada@example.com")
    reply = await verify(ada.api, token=letter.token)
    assert (reply.status_code, reply.json()) == (200, {"status": "verified", "email": "ada@example.com"})


async def test_the_code_of_the_mail_proves_the_address(ada: Person, inbox: Inbox) -> None:
    code = (await inbox.last(to="ada@example.com")).code
    reply = await verify(ada.api, email="ADA@example.com", code=f" {code[:3]} {code[3:]} ")
    assert reply.json() == {"status": "verified", "email": "ada@example.com"}


async def test_a_device_that_waits_learns_of_it_by_itself(ada: Person, inbox: Inbox) -> None:
    assert (await ada.session()).json()["user"]["email_verified"] is False
    await verify(ada.api, token=(await inbox.last()).token)
    assert (await ada.session()).json()["user"]["email_verified"] is True
    await ada.refresh()
    assert (await ada.get("/session")).status_code == 200


async def test_link_and_code_are_good_once_and_together(ada: Person, inbox: Inbox) -> None:
    letter = await inbox.last()
    await verify(ada.api, token=letter.token)
    assert is_invalid(await verify(ada.api, token=letter.token))
    assert is_invalid(await verify(ada.api, email="ada@example.com", code=letter.code))


async def test_looking_at_the_link_changes_nothing(ada: Person, inbox: Inbox) -> None:
    """Scanners of mail follow every link, with whatever method does not change anything."""
    letter = await inbox.last()
    for method in ("GET", "HEAD", "OPTIONS"):
        await ada.api.request(method, f"{PREFIX}/email/verify", params={"token": letter.token})
        await ada.api.request(method, letter.link.replace("http://127.0.0.1:8000", ""))
    assert (await ada.session()).json()["user"]["email_verified"] is False
    assert (await verify(ada.api, token=letter.token)).status_code == 200


async def test_the_link_dies_after_a_day(ada: Person, inbox: Inbox, clock: MovedClock) -> None:
    letter = await inbox.last()
    clock.advance(seconds=LIFETIME)
    assert is_invalid(await verify(ada.api, token=letter.token))
    assert is_invalid(await verify(ada.api, email="ada@example.com", code=letter.code))


@pytest.mark.parametrize(
    "body",
    [
        {"token": "ot_" + "x" * 43},
        {"token": ""},
        {"email": "ada@example.com", "code": "000000"},
        {"email": "nobody@example.com", "code": "000000"},
        {"email": "ada@example.com", "code": "wrong"},
    ],
)
async def test_what_is_wrong_is_refused_in_one_way(ada: Person, body: dict[str, str]) -> None:
    reply = await verify(ada.api, **body)
    assert is_invalid(reply)
    assert set(reply.json()) == {"type", "title", "status", "code", "action", "request_id"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.com"},
        {"code": "123456"},
        {"token": "x", "code": "1"},
        {"token": "x", "email": "ada@example.com", "code": "123456"},
    ],
)
async def test_neither_or_both_ways_are_not_valid(api: httpx.AsyncClient, body: dict[str, str]) -> None:
    reply = await verify(api, **body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_five_wrong_codes_leave_only_the_link(ada: Person, inbox: Inbox) -> None:
    letter = await inbox.last()
    for number in range(1, 6):
        wrong = f"{(int(letter.code) + number) % 10**6:06}"
        assert is_invalid(await verify(ada.api, email="ada@example.com", code=wrong))
    assert is_invalid(await verify(ada.api, email="ada@example.com", code=letter.code))
    assert (await verify(ada.api, token=letter.token)).status_code == 200


async def test_somebody_elses_code_is_a_wrong_one(ada: Person, inbox: Inbox) -> None:
    await sign_up(ada.api, BOB)
    theirs, own = await inbox.last(to="bob@example.com"), await inbox.last(to="ada@example.com")
    if theirs.code != own.code:
        assert is_invalid(await verify(ada.api, email="ada@example.com", code=theirs.code))


async def test_another_link_can_be_asked_for_by_either_way(ada: Person, inbox: Inbox) -> None:
    first = await inbox.last()
    headers = {"Authorization": f"Bearer {ada.access_token}"}
    by_token = await ada.api.post(f"{PREFIX}/email/resend", headers=headers)
    second = await inbox.last()
    by_address = await ada.api.post(f"{PREFIX}/email/resend", json={"email": "ada@example.com"})
    third = await inbox.last()
    assert len({first.token, second.token, third.token}) == 3
    assert [r.status_code for r in (by_token, by_address)] == [202, 202]
    assert by_token.json() == by_address.json() == {"status": "accepted"}
    assert (await verify(ada.api, token=second.token)).status_code == 200
    for other in (first, third):
        assert is_invalid(await verify(ada.api, token=other.token))


async def test_asking_for_another_link_needs_to_say_for_whom(api: httpx.AsyncClient) -> None:
    reply = await api.post(f"{PREFIX}/email/resend")
    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")


async def test_an_ended_session_gets_no_other_link(ada: Person, inbox: Inbox) -> None:
    await ada.log_out()
    reply = await ada.api.post(f"{PREFIX}/email/resend", headers={"Authorization": f"Bearer {ada.access_token}"})
    assert reply.json()["code"] == "session_ended"
    assert len(await inbox.all()) == 1


async def test_asking_for_another_link_tells_nothing_and_writes_only_to_who_needs_one(
    ada: Person, inbox: Inbox, ctx: Context
) -> None:
    verified = await sign_up(ada.api, BOB)
    await verify(ada.api, token=(await inbox.last(to="bob@example.com")).token)
    carol = {"email": "carol@example.com", "password": PASSWORD}
    await sign_up(ada.api, carol)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email_key = 'carol@example.com'"))
    before = len(await inbox.all())
    names = ("ada", "bob", "carol", "nobody")
    replies = [await ada.api.post(f"{PREFIX}/email/resend", json={"email": f"{name}@example.com"}) for name in names]
    assert len({str(alike(reply)) for reply in replies}) == 1
    letters = (await inbox.all())[before:]
    assert [letter.to for letter in letters] == ["ada@example.com"]
    assert verified.credentials["email"] == "bob@example.com"


async def test_one_mailbox_gets_only_so_many(start: Start) -> None:
    _, api = await start(limits_scale=1)
    body = {"email": "ada@example.com"}
    statuses = [(await api.post(f"{PREFIX}/email/resend", json=body)).status_code for _ in range(11)]
    assert statuses == [202] * 10 + [429]
    assert (await api.post(f"{PREFIX}/email/resend", json={"email": "bob@example.com"})).status_code == 202


async def test_without_verification_nobody_is_asked(start: Start, inbox: Inbox) -> None:
    _, api = await start(email_verification="off")
    await sign_up(api)
    assert (await api.post(f"{PREFIX}/email/resend", json={"email": "ada@example.com"})).status_code == 202
    assert await inbox.all() == []
    assert (await api.get(f"{PREFIX}/config")).json()["email_verification"] == "off"


async def test_a_disabled_person_proves_nothing(ada: Person, inbox: Inbox, ctx: Context) -> None:
    letter = await inbox.last()
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now()"))
    assert is_invalid(await verify(ada.api, token=letter.token))


async def test_nothing_of_an_address_rests_in_the_queue(start: Start) -> None:
    ctx, api = await start(email_verification="required")
    await sign_up_quietly(api)
    for path in ("/email/resend", "/password/forgot"):
        await api.post(f"{PREFIX}{path}", json={"email": "ada@example.com"})
    async with ctx.db() as tx:
        rows = (await tx.scalars(text("SELECT payload FROM jobs.pgqueuer"))).all()
    assert len(rows) == 3
    assert not [row for row in rows if b"ada" in row or b"argon2" in row]


async def test_the_mail_speaks_the_persons_language_or_the_browsers(ada: Person, inbox: Inbox, ctx: Context) -> None:
    body = {"email": "ada@example.com"}
    english = await inbox.last()
    await ada.api.post(f"{PREFIX}/email/resend", json=body, headers={"Accept-Language": "de-AT, en;q=0.5"})
    german = await inbox.last()
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET locale = 'es'"))
    await ada.api.post(f"{PREFIX}/email/resend", json=body, headers={"Accept-Language": "de"})
    spanish = await inbox.last()
    assert len({letter.subject for letter in (english, german, spanish)}) == 3


async def test_what_happens_to_an_address_is_on_record(ada: Person, inbox: Inbox, ctx: Context) -> None:
    letter = await inbox.last()
    await verify(ada.api, email="ada@example.com", code="wrong")
    await verify(ada.api, token=letter.token)
    async with ctx.db() as tx:
        events = (await tx.execute(select(AuditEvent).order_by(AuditEvent.at))).scalars().all()
    mine = [event for event in events if event.name.startswith("email.")]
    assert [event.name for event in mine] == ["email.code_refused", "email.verified"]
    assert {str(event.user_id) for event in mine} == {ada.tokens["user"]["id"]}
    assert letter.token not in str([event.data for event in events])
