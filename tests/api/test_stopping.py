"""A change of address is stopped or undone from the old one."""

import pytest

from authapi.addresses.change import STOP_WITHIN
from tests.support.emails import ask, confirm, forgot, is_invalid, prove, reset, stop
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, PASSWORD, PREFIX, Person, bearer, log_in

OLD, NEW, THIRD = "ada@example.com", "ada@example.org", "ada@example.net"
RENEWED = "staple battery horse correct"


@pytest.fixture
async def eve(ada: Person, inbox: Inbox) -> Person:
    """Ada's account with a proved address: whether she is herself is for each test to say."""
    await prove(ada.api, inbox)
    return ada


async def test_a_change_can_be_stopped_before(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    confirmation, warning = (await inbox.last(to=NEW)).token, (await inbox.last(to=OLD)).token
    reply = await stop(eve.api, warning)
    assert (reply.status_code, reply.json()) == (200, {"status": "stopped", "email": OLD})
    assert is_invalid(await confirm(eve.api, token=confirmation))
    assert is_invalid(await stop(eve.api, warning))
    assert (await eve.session()).json()["user"]["email"] == OLD
    await log_in(eve.api)


async def test_an_owner_gets_a_hijacked_account_back(eve: Person, inbox: Inbox) -> None:
    """Eve knows the password, has another address, another password, and a link to reset it."""
    await ask(eve, NEW)
    warning = (await inbox.last(to=OLD)).token
    await confirm(eve.api, token=(await inbox.last(to=NEW)).token)
    body = {"current_password": PASSWORD, "password": RENEWED}
    assert (
        await eve.api.post(f"{PREFIX}/password/change", json=body, headers=bearer(eve.access_token))
    ).status_code == 204
    await forgot(eve.api, NEW)
    hers = (await inbox.last(to=NEW)).token
    reply = await stop(eve.api, warning)
    assert (reply.status_code, reply.json()) == (200, {"status": "restored", "email": OLD})
    assert (await eve.session()).json()["reason"] == "email_restored"
    assert is_invalid(await reset(eve.api, hers, RENEWED))
    for email in (OLD, NEW):
        for password in (PASSWORD, RENEWED):
            credentials = {"email": email, "password": password}
            assert (await eve.api.post(f"{PREFIX}/login", json=credentials)).status_code == 401
    own = (await inbox.last(to=OLD)).token
    chosen = "the owner's own new phrase"
    assert (await reset(eve.api, own, chosen)).status_code == 204
    assert (await log_in(eve.api, ADA | {"password": chosen})).tokens["user"]["email_verified"] is True


async def test_nobody_undoes_that_from_an_address_that_came_later(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    first = (await inbox.last(to=OLD)).token
    await confirm(eve.api, token=(await inbox.last(to=NEW)).token)
    await ask(eve, THIRD)
    second = (await inbox.last(to=NEW)).token
    await confirm(eve.api, token=(await inbox.last(to=THIRD)).token)
    assert (await stop(eve.api, first)).json() == {"status": "restored", "email": OLD}
    assert is_invalid(await stop(eve.api, second))


async def test_a_later_address_cannot_take_the_way_back_from_an_earlier_one(eve: Person, inbox: Inbox) -> None:
    await ask(eve, NEW)
    first = (await inbox.last(to=OLD)).token
    await confirm(eve.api, token=(await inbox.last(to=NEW)).token)
    await ask(eve, THIRD)
    second = (await inbox.last(to=NEW)).token
    await confirm(eve.api, token=(await inbox.last(to=THIRD)).token)
    assert (await stop(eve.api, second)).json() == {"status": "restored", "email": NEW}
    assert (await stop(eve.api, first)).json() == {"status": "restored", "email": OLD}


async def test_a_change_can_be_undone_for_a_week(eve: Person, inbox: Inbox, clock: MovedClock) -> None:
    await ask(eve, NEW)
    warning = (await inbox.last(to=OLD)).token
    await confirm(eve.api, token=(await inbox.last(to=NEW)).token)
    clock.advance(seconds=STOP_WITHIN)
    assert is_invalid(await stop(eve.api, warning))


@pytest.mark.parametrize("token", ["", "ot_" + "x" * 43])
async def test_a_wrong_link_stops_nothing(eve: Person, inbox: Inbox, token: str) -> None:
    await ask(eve, NEW)
    assert is_invalid(await stop(eve.api, token))
    assert (await confirm(eve.api, token=(await inbox.last(to=NEW)).token)).status_code == 200
