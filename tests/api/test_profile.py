"""Looking at one's profile and changing it."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.users.rules import LONGEST_URL
from tests.conftest import Start
from tests.support.people import BOB, PREFIX, Person, bearer, sign_up

ME = "/api/v1/users/me"
WHOLE = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "picture_url": "https://pictures.example.com/ada.png?size=2#face",
}


async def change(person: Person, **changes: Any) -> httpx.Response:
    return await person.api.patch(ME, json=changes, headers=bearer(person.access_token))


async def profile(person: Person) -> dict[str, Any]:
    reply = await person.api.get(ME, headers=bearer(person.access_token))
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


async def test_a_new_person_has_an_address_and_nothing_else(ada: Person) -> None:
    found = await profile(ada)
    assert found == ada.tokens["user"]
    assert (found["email"], {found[name] for name in WHOLE}) == ("ada@example.com", {None})


async def test_what_is_changed_is_told_by_every_call_that_tells_of_the_person(ada: Person) -> None:
    reply = await change(ada, **WHOLE)
    assert reply.status_code == 200
    told = reply.json()
    assert {name: told[name] for name in WHOLE} == WHOLE
    assert told == await profile(ada) == (await ada.session()).json()["user"]
    again = await ada.api.post(f"{PREFIX}/login", json=ada.credentials)
    assert again.json()["user"] == told


async def test_what_is_not_named_stays_and_null_clears(ada: Person) -> None:
    await change(ada, **WHOLE)
    await change(ada, first_name="Augusta", picture_url=None)
    found = await profile(ada)
    assert {name: found[name] for name in WHOLE} == WHOLE | {"first_name": "Augusta", "picture_url": None}
    assert (await change(ada)).json() == found


async def test_one_persons_change_is_nobody_elses(ada: Person) -> None:
    bob = await sign_up(ada.api, BOB)
    await change(ada, first_name="Ada")
    assert (await profile(bob))["first_name"] is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("en", "en"),
        ("EN-gb", "en-GB"),
        ("ZH-HANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-CH-1901", "de-CH-1901"),
        ("iw-IL", "he-IL"),
        ("sl-Rozaj-BISKE", "sl-rozaj-biske"),
    ],
)
async def test_a_language_is_kept_in_canonical_form(ada: Person, given: str, kept: str) -> None:
    assert (await change(ada, locale=given)).json()["locale"] == kept


async def test_a_picture_is_kept_as_browsers_read_its_address(ada: Person) -> None:
    reply = await change(ada, picture_url="HTTPS://Bücher.example.com:443/a b/../ada.png")
    assert reply.json()["picture_url"] == "https://xn--bcher-kva.example.com/ada.png"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("locale", tag) for tag in ("", "e", "english!", "en_GB", "en-", "en-GB-u-ca-buddhist", "x-private", "ａｂ")),
        ("locale", "de" + "-abcdefgh" * 5),
        *(("time_zone", name) for name in ("", "Mars/Olympus", "europe/london", "../UTC", "Factory", "+02:00")),
        *(
            ("picture_url", f"{scheme}://pictures.example.com/a.png")
            for scheme in ("http", "ftp", "javascript", "data")
        ),
        *(("picture_url", url) for url in ("", "ada.png", "//example.com/a", "https://", "https://a:b@example.com/")),
        ("picture_url", "https://ada@example.com/a.png"),
        ("picture_url", "https://example.com/" + "a" * LONGEST_URL),
        ("picture_url", "https://example.com/" + "é" * (LONGEST_URL // 3)),
        ("first_name", ""),
        ("last_name", "Ada\nBcc: everyone@example.com"),
        ("first_name", 7),
        ("email", "other@example.com"),
        ("email_verified", True),
        ("id", "01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11"),
        ("erase_at", None),
    ],
)
async def test_what_cannot_be_in_a_profile_is_refused_and_changes_nothing(ada: Person, field: str, value: Any) -> None:
    before = await profile(ada)
    reply = await change(ada, **{"time_zone": "Asia/Tokyo", field: value})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert [fault["pointer"] for fault in reply.json()["errors"]] == [f"/{field}"]
    assert await profile(ada) == before


async def test_a_profile_is_for_whoever_is_signed_in(ada: Person) -> None:
    assert (await ada.api.get(ME)).json()["code"] == "token_missing"
    await ada.log_out()
    assert (await change(ada, first_name="Ada")).json()["code"] == "session_ended"


async def recorded(ctx: Context) -> list[AuditEvent]:
    async with ctx.db() as tx:
        changes = select(AuditEvent).where(AuditEvent.name == "user.profile_changed").order_by(AuditEvent.at)
        return list(await tx.scalars(changes))


async def test_the_record_says_what_was_changed_and_not_to_what(ada: Person, ctx: Context) -> None:
    await change(ada, last_name="Lovelace", first_name="Ada")
    await change(ada, last_name=None, first_name="Ada")
    events = await recorded(ctx)
    assert [event.data for event in events] == [{"fields": "first_name,last_name"}, {"fields": "last_name"}]
    assert str(events[0].session_id) == ada.session_id


async def test_what_changes_nothing_is_not_recorded(ada: Person, ctx: Context) -> None:
    await change(ada, **WHOLE)
    for again in ({}, WHOLE, {"locale": "EN-gb"}, {"first_name": "Ada"}):
        reply = await change(ada, **again)
        assert (reply.status_code, {name: reply.json()[name] for name in WHOLE}) == (200, WHOLE)
    assert len(await recorded(ctx)) == 1


async def test_a_profile_is_changed_only_so_often(start: Start) -> None:
    _, api = await start(limits_scale=1, limits={"users.profile.person": "2/hour"})
    ada, bob = await sign_up(api), await sign_up(api, BOB)
    for name in ("Ada", "Augusta"):
        assert (await change(ada, first_name=name)).status_code == 200
    refused = await change(ada, first_name="Byron")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert (await profile(ada))["first_name"] == "Augusta"
    assert (await change(bob, first_name="Bob")).status_code == 200
