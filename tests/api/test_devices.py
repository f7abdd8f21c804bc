"""The devices somebody is signed in on, told in words and by the names they gave them."""

import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, bearer, log_in, sign_up

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)


async def rename(person: Person, session_id: str, label: Any) -> httpx.Response:
    path = f"{PREFIX}/sessions/{session_id}"
    return await person.api.patch(path, json={"label": label}, headers=bearer(person.access_token))


async def test_devices_are_told_in_words(api: httpx.AsyncClient, ada: Person) -> None:
    reply = await api.post(f"{PREFIX}/login", json=ADA, headers={"User-Agent": FIREFOX})
    laptop = Person(api, reply.json())
    assert laptop.tokens["session"]["device"] == "Firefox on Linux"
    await api.post(f"{PREFIX}/login", json=ADA, headers={"User-Agent": SAFARI})
    told = [session["device"] for session in (await laptop.get("/sessions")).json()["sessions"]]
    assert told == ["Safari on iPhone", "Firefox on Linux", "Python (httpx)"]


async def test_a_device_that_goes_on_as_another_program_is_told_as_what_it_is_now(ada: Person) -> None:
    body = {"refresh_token": ada.refresh_token}
    reply = await ada.api.post(f"{PREFIX}/refresh", json=body, headers={"User-Agent": FIREFOX})
    ada.tokens = reply.json()
    assert (await ada.session()).json()["session"]["device"] == "Firefox on Linux"


async def test_a_device_gets_a_name_and_loses_it(ada: Person) -> None:
    phone = await log_in(ada.api)
    reply = await rename(ada, phone.session_id, "  Ada's phone \N{MOBILE PHONE} ")
    assert reply.status_code == 200
    assert (reply.json()["label"], reply.json()["is_current"]) == ("Ada's phone \N{MOBILE PHONE}", False)
    assert (await phone.session()).json()["session"]["label"] == "Ada's phone \N{MOBILE PHONE}"
    await phone.refresh()
    sessions = (await ada.get("/sessions")).json()["sessions"]
    assert {session["id"]: session["label"] for session in sessions} == {
        phone.session_id: "Ada's phone \N{MOBILE PHONE}",
        ada.session_id: None,
    }
    assert (await rename(phone, phone.session_id, None)).json()["label"] is None


@pytest.mark.parametrize("label", ["", " ", "a" * 61, "a\nb", "\u202eenohp", "<b>", "www.example.com", 7])
async def test_what_cannot_be_a_name_is_refused(ada: Person, label: Any) -> None:
    reply = await rename(ada, ada.session_id, label)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/label")


async def test_without_a_name_in_the_body_nothing_is_renamed(ada: Person) -> None:
    path = f"{PREFIX}/sessions/{ada.session_id}"
    reply = await ada.api.patch(path, json={}, headers=bearer(ada.access_token))
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/label")


async def test_only_ones_own_live_devices_can_be_named(ada: Person, clock: MovedClock) -> None:
    bob = await sign_up(ada.api, BOB)
    gone = await log_in(ada.api)
    await gone.log_out()
    short = await log_in(ada.api, remember_me=False)
    clock.advance(days=1, minutes=1)
    await ada.refresh()
    for session_id in (bob.session_id, gone.session_id, short.session_id, str(uuid.uuid4())):
        reply = await rename(ada, session_id, "Mine")
        assert (reply.status_code, reply.json()["code"]) == (404, "session_unknown")
    await bob.refresh()
    assert (await bob.session()).json()["session"]["label"] is None


async def test_a_new_name_is_on_record_without_the_name(ada: Person, ctx: Context) -> None:
    phone = await log_in(ada.api)
    await rename(ada, phone.session_id, "Phone")
    async with ctx.db() as tx:
        (event,) = (await tx.scalars(select(AuditEvent).where(AuditEvent.name == "session.renamed"))).all()
    assert (str(event.session_id), event.data) == (phone.session_id, {})
