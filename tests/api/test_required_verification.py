"""Signing up where an address must be proved first: a taken and a free one are alike."""

import httpx
import pytest

from tests.conftest import Start
from tests.support.emails import alike, is_invalid, sign_up_quietly, verify
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, log_in, sign_up
from tests.support.work import work

OTHER = "a completely other phrase"


@pytest.fixture
async def strict(start: Start) -> httpx.AsyncClient:
    """An instance where people must prove their address before they sign in."""
    return (await start(email_verification="required"))[1]


async def test_where_required_a_person_signs_in_after_proving_the_address(
    strict: httpx.AsyncClient, inbox: Inbox
) -> None:
    await sign_up_quietly(strict, first_name="Ada")
    letter = await inbox.last(to="ada@example.com")
    early = await strict.post(f"{PREFIX}/login", json=ADA)
    assert (early.status_code, early.json()["code"]) == (403, "email_unverified")
    assert (await verify(strict, token=letter.token)).status_code == 200
    user = (await log_in(strict)).tokens["user"]
    assert (user["email_verified"], user["first_name"]) == (True, "Ada")


async def test_where_required_a_taken_and_a_free_address_are_alike(strict: httpx.AsyncClient, inbox: Inbox) -> None:
    await sign_up_quietly(strict)
    await verify(strict, token=(await inbox.last()).token)
    await sign_up_quietly(strict, BOB)
    before = len(await inbox.all())
    replies = [
        await sign_up_quietly(strict, {"email": f"{name}@example.com", "password": OTHER})
        for name in ("ada", "bob", "carol")
    ]
    assert len({str(alike(reply)) for reply in replies}) == 1
    letters = (await inbox.all())[before:]
    assert [letter.to for letter in letters] == ["ada@example.com", "bob@example.com", "carol@example.com"]
    assert "ot_" not in letters[0].text
    assert (await log_in(strict)).tokens["user"]["email_verified"] is True
    assert (await strict.post(f"{PREFIX}/login", json=ADA | {"password": OTHER})).status_code == 401


async def test_where_required_a_taken_and_a_free_address_are_the_same_work(
    start: Start, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx, api = await start(email_verification="required")
    await sign_up_quietly(api)
    await verify(api, token=(await inbox.last()).token)
    await sign_up_quietly(api, BOB)
    await inbox.all()
    costs = []
    for name in ("ada", "bob", "carol"):
        with work(ctx, monkeypatch) as done:
            await sign_up_quietly(api, {"email": f"{name}@example.com", "password": OTHER})
        costs.append(done)
    assert costs[0] == costs[1] == costs[2]
    assert costs[0].index("SELECT true") < costs[0].index("_hash")  # nothing is hashed while the database is away


async def test_who_proves_a_squatted_address_gets_the_account_with_their_own_password(
    start: Start, inbox: Inbox
) -> None:
    _, lax = await start()
    _, strict = await start(email_verification="required")
    squatter = await sign_up(lax, ADA, first_name="Mallory")
    theirs = await inbox.last(to="ada@example.com")
    await sign_up_quietly(strict, ADA | {"password": OTHER}, first_name="Ada")
    own = await inbox.last(to="ada@example.com")
    assert (await verify(strict, token=own.token)).status_code == 200
    assert (await squatter.session()).json()["code"] == "session_ended"
    assert (await squatter.refresh()).json()["reason"] == "account_claimed"
    assert (await strict.post(f"{PREFIX}/login", json=ADA)).status_code == 401
    owner = await log_in(strict, ADA | {"password": OTHER})
    assert owner.tokens["user"]["id"] == squatter.tokens["user"]["id"]
    assert (owner.tokens["user"]["first_name"], owner.tokens["user"]["email_verified"]) == ("Ada", True)
    assert is_invalid(await verify(strict, token=theirs.token))


async def test_each_link_brings_the_password_of_its_own_sign_up(strict: httpx.AsyncClient, inbox: Inbox) -> None:
    await sign_up_quietly(strict)
    own = await inbox.last()
    await sign_up_quietly(strict, ADA | {"password": OTHER})
    await inbox.all()
    await verify(strict, token=own.token)
    assert (await log_in(strict)).tokens["user"]["email_verified"] is True
    assert (await strict.post(f"{PREFIX}/login", json=ADA | {"password": OTHER})).status_code == 401


async def test_another_link_brings_the_password_that_was_chosen_last(
    strict: httpx.AsyncClient, inbox: Inbox, clock: MovedClock
) -> None:
    await sign_up_quietly(strict)
    await sign_up_quietly(strict, ADA | {"password": OTHER})
    await inbox.all()
    clock.advance(days=2)
    await strict.post(f"{PREFIX}/email/resend", json={"email": "ada@example.com"})
    await verify(strict, token=(await inbox.last()).token)
    await log_in(strict, ADA | {"password": OTHER})


async def test_a_weak_password_is_refused_also_where_nothing_is_told(strict: httpx.AsyncClient, inbox: Inbox) -> None:
    reply = await strict.post(f"{PREFIX}/signup", json=ADA | {"password": "password1"})
    assert (reply.status_code, reply.json()["code"]) == (422, "weak_password")
    assert await inbox.all() == []
