"""What somebody may try to get at another person's account, or to keep them out of it."""

import httpx
import pytest

from authapi.core.context import Context
from authapi.core.http import Client
from authapi.sessions import denylist
from authapi.signin import departure, oversight
from authapi.signin.oversight import UnknownPerson
from authapi.users import service as users
from tests.conftest import Start
from tests.support.emails import ask, confirm, forgot, is_invalid, move, prove, reset, sign_up_quietly, stop, verify
from tests.support.guesses import elsewhere, fail
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, bearer, log_in, sign_up

EVE = {"email": "eve@example.net", "password": "to be somebody else entirely"}
NEW = "staple battery horse correct"


async def leave(person: Person) -> httpx.Response:
    return await person.api.delete("/api/v1/users/me", headers=bearer(person.access_token))


@pytest.fixture
async def squatter(api: httpx.AsyncClient) -> Person:
    """Has signed up with an address that is Bob's, and never proves it."""
    return await sign_up(api, BOB | {"password": EVE["password"]})


async def displace(squatter: Person, ada: Person, inbox: Inbox) -> None:
    """Ada proves that the squatter's address is hers."""
    await prove(ada.api, inbox)
    await move(ada, inbox, squatter.credentials["email"])


async def test_who_lost_an_address_stays_out_when_redis_forgets(
    squatter: Person, ada: Person, ctx: Context, inbox: Inbox
) -> None:
    await displace(squatter, ada, inbox)
    await ctx.redis.client.flushdb()
    assert (await squatter.session()).status_code == 401
    await denylist.rest()
    await denylist.rebuild(ctx)
    headers = bearer(squatter.access_token)
    reply = await squatter.api.post(f"{PREFIX}/email/resend", headers=headers)
    assert (reply.status_code, reply.json()["reason"]) == (401, "address_proved_by_another")


async def test_who_lost_an_address_is_erased_once_nothing_can_revive_them(
    squatter: Person, ada: Person, ctx: Context, inbox: Inbox, clock: MovedClock
) -> None:
    await displace(squatter, ada, inbox)
    await departure.erase(ctx)
    assert (await squatter.refresh()).json()["code"] == "session_ended"
    clock.advance(seconds=denylist.REMEMBERED + 1)
    await departure.erase(ctx)
    assert (await squatter.refresh()).json()["code"] == "invalid_token"
    assert (await ada.refresh()).status_code == 200


async def test_an_address_that_was_asked_for_before_a_reset_is_not_given_after_it(
    ada: Person, ctx: Context, inbox: Inbox
) -> None:
    await prove(ada.api, inbox)
    await forgot(ada.api)
    link = (await inbox.last(to=ADA["email"])).token
    await ask(ada, EVE["email"])  # by a thief, while the worker is away
    assert (await reset(ada.api, link, NEW)).status_code == 204
    assert not await inbox.all(to=EVE["email"])


async def test_a_squatter_who_asked_for_another_address_does_not_keep_the_account(
    squatter: Person, ctx: Context, inbox: Inbox
) -> None:
    await forgot(squatter.api, BOB["email"])
    link = (await inbox.last(to=BOB["email"])).token
    await ask(squatter, EVE["email"])
    assert (await reset(squatter.api, link, NEW)).status_code == 204
    assert not await inbox.all(to=EVE["email"])


async def test_a_thief_who_leaves_does_not_take_the_way_back_along(ada: Person, ctx: Context, inbox: Inbox) -> None:
    await prove(ada.api, inbox)
    await move(ada, inbox, EVE["email"])
    way_back = next(
        letter.token for letter in await inbox.all(to=ADA["email"]) if "/stop-address-change" in letter.text
    )
    assert (await leave(ada)).status_code == 202
    assert (await stop(ada.api, way_back)).json() == {"status": "restored", "email": ADA["email"]}
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA | {"email": EVE["email"]})).status_code == 401
    assert (await reset(ada.api, (await inbox.last(to=ADA["email"])).token, NEW)).status_code == 204
    again = await log_in(ada.api, ADA | {"password": NEW})
    names = [
        event["name"]
        for event in (await again.api.get("/api/v1/users/me/events", headers=bearer(again.access_token))).json()[
            "events"
        ]
    ]
    assert names.count("user.restored") == 1  # by the link: the account is not to be erased, whoever signs in or not


async def test_an_account_that_a_squatter_left_is_not_erased_under_its_owner(
    squatter: Person, ctx: Context, inbox: Inbox, clock: MovedClock
) -> None:
    assert (await leave(squatter)).status_code == 202
    await forgot(squatter.api, BOB["email"])
    assert (await reset(squatter.api, (await inbox.last(to=BOB["email"])).token, NEW)).status_code == 204
    clock.advance(days=15)
    await departure.erase(ctx)
    await log_in(squatter.api, BOB | {"password": NEW})


async def test_strangers_who_ask_for_links_do_not_stop_an_owner_from_signing_up(start: Start, inbox: Inbox) -> None:
    _, api = await start(email_verification="required", limits_scale=1.0)
    for _ in range(10):
        assert (await api.post(f"{PREFIX}/email/resend", json={"email": ADA["email"]})).status_code == 202
    assert (await api.post(f"{PREFIX}/email/resend", json={"email": ADA["email"]})).status_code == 429
    await sign_up_quietly(api)


async def test_strangers_who_sign_up_with_an_address_do_not_stop_its_owner(start: Start, inbox: Inbox) -> None:
    _, api = await start(email_verification="required", limits_scale=1.0)
    squatting = ADA | {"password": EVE["password"]}
    while (await api.post(f"{PREFIX}/signup", json=squatting)).status_code == 202:
        pass
    await forgot(api)
    assert (await reset(api, (await inbox.last(to=ADA["email"])).token, NEW)).status_code == 204
    await log_in(api, ADA | {"password": NEW})
    assert (await api.post(f"{PREFIX}/login", json=squatting)).status_code == 401


async def test_a_stranger_who_asks_for_a_link_does_not_take_the_owners_away(ada: Person, inbox: Inbox) -> None:
    await forgot(ada.api)
    first = (await inbox.last(to=ADA["email"])).token
    await forgot(ada.api)
    second = (await inbox.last(to=ADA["email"])).token
    assert (await reset(ada.api, first, NEW)).status_code == 204
    assert is_invalid(await reset(ada.api, second, NEW))


async def test_who_knew_an_earlier_password_guesses_the_next_one_as_a_stranger(
    ada: Person, ctx: Context, inbox: Inbox
) -> None:
    tokens = [(await log_in(ada.api)).tokens["device_token"] for _ in range(3)]
    await forgot(ada.api)
    assert (await reset(ada.api, (await inbox.last(to=ADA["email"])).token, NEW)).status_code == 204
    async with elsewhere(ctx) as thief:
        for token in tokens:
            await fail(thief, 2, device_token=token)
        again = ADA | {"password": NEW, "device_token": tokens[0]}
        assert (await thief.post(f"{PREFIX}/login", json=again)).status_code == 401


async def test_an_operator_does_not_bring_back_who_lost_their_address(
    squatter: Person, ada: Person, ctx: Context, inbox: Inbox
) -> None:
    await displace(squatter, ada, inbox)
    with pytest.raises(UnknownPerson):
        await oversight.enable(ctx, Client("", "authapi users"), squatter.tokens["user"]["id"])
    assert [str(user.id) for user in await users.find(ctx, BOB["email"], limit=9)] == [ada.tokens["user"]["id"]]


async def test_who_is_disabled_gets_in_by_no_way_that_was_open_before(ada: Person, ctx: Context, inbox: Inbox) -> None:
    await prove(ada.api, inbox)
    await move(ada, inbox, EVE["email"])
    way_back = next(letter.token for letter in await inbox.all(ADA["email"]) if "/stop-address-change" in letter.text)
    await forgot(ada.api, EVE["email"])
    link = (await inbox.last(to=EVE["email"])).token
    await ask(ada, BOB["email"])
    change = (await inbox.last(to=BOB["email"])).token
    device = ada.tokens["device_token"]
    await oversight.disable(ctx, Client("", "authapi users"), EVE["email"])
    await forgot(ada.api, EVE["email"])
    before = len(await inbox.all())
    mine = ADA | {"email": EVE["email"]}
    assert (await ada.api.post(f"{PREFIX}/login", json=mine)).json()["code"] == "invalid_credentials"
    assert (await ada.api.post(f"{PREFIX}/login", json=mine | {"device_token": device})).status_code == 401
    assert (await ada.refresh()).json()["reason"] == "account_disabled"
    assert (await ada.session()).status_code == 401
    headers = bearer(ada.access_token)
    assert (
        await ada.api.post(f"{PREFIX}/password/confirm", json={"password": ADA["password"]}, headers=headers)
    ).status_code == 401
    assert (await leave(ada)).status_code == 401
    for refused in (
        await reset(ada.api, link, NEW),
        await confirm(ada.api, token=change),
        await stop(ada.api, way_back),
        await verify(ada.api, token=link),
    ):
        assert is_invalid(refused)
    assert len(await inbox.all()) == before


async def test_whether_an_address_is_taken_is_not_told_by_what_the_asker_gets(
    ada: Person, ctx: Context, inbox: Inbox
) -> None:
    bob = await sign_up(ada.api, BOB)
    await prove(ada.api, inbox, BOB["email"])
    seen = []
    for number, wanted in enumerate((bob.credentials["email"], "nobody@example.com")):
        asker = await sign_up(ada.api, EVE | {"email": f"eve{number}@example.net"})
        await prove(ada.api, inbox, asker.credentials["email"])
        await ask(asker, wanted)
        letters = [letter.subject for letter in await inbox.all(to=asker.credentials["email"])]
        assert len([letter for letter in await inbox.all(to=wanted) if "/confirm-address" in letter.text]) == number
        headers = bearer(asker.access_token)
        held = (await ada.api.get("/api/v1/users/me/export", headers=headers)).json()
        messages = sorted(message["kind"] for message in held["messages"])
        secrets = sorted((secret["purpose"], secret["tries"]) for secret in held["one_time_secrets"])
        events = sorted(event["name"] for event in held["events"])
        seen.append((letters, messages, secrets, events, (await asker.refresh()).status_code))
    assert seen[0] == seen[1]


async def test_a_thief_who_was_thrown_out_does_not_finish_a_change_of_address(
    ada: Person, inbox: Inbox, api: httpx.AsyncClient
) -> None:
    await prove(api, inbox)
    thief = await log_in(api)
    await ask(thief, EVE["email"])
    token = (await inbox.last(to=EVE["email"])).token
    thrown_out = await api.delete(f"{PREFIX}/sessions/{thief.tokens['session_id']}", headers=bearer(ada.access_token))
    assert thrown_out.status_code == 204
    assert is_invalid(await confirm(api, token=token))
    assert (await ada.session()).json()["user"]["email"] == ADA["email"]


async def test_strangers_cannot_use_up_the_changes_to_an_address(start: Start, inbox: Inbox) -> None:
    _, api = await start(limits_scale=1)
    ada = await sign_up(api)
    for _ in range(11):
        last = await api.post(f"{PREFIX}/email/resend", json={"email": EVE["email"]})
    assert last.status_code == 429
    await ask(ada, EVE["email"])
