"""Changing the password: by somebody who knows the present one."""

import httpx
import pytest
from sqlalchemy import select

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from tests.support.inbox import Inbox
from tests.support.people import ADA, BOB, PASSWORD, PREFIX, Person, bearer, log_in, sign_up

NEW = "staple battery horse correct"


async def change(person: Person, current: str = PASSWORD, password: str = NEW) -> httpx.Response:
    body = {"current_password": current, "password": password}
    return await person.api.post(f"{PREFIX}/password/change", json=body, headers=bearer(person.access_token))


async def test_the_new_password_signs_in_and_the_old_one_does_not(ada: Person) -> None:
    reply = await change(ada)
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA)).status_code == 401
    await log_in(ada.api, ADA | {"password": NEW})


async def test_this_session_stays_and_all_others_end(ada: Person) -> None:
    phone, tablet = await log_in(ada.api), await log_in(ada.api)
    bob = await sign_up(ada.api, BOB)
    assert (await change(phone)).status_code == 204
    for other in (ada, tablet):
        assert (await other.session()).json()["reason"] == "password_changed"
        told = (await other.refresh()).json()
        assert (told["reason"], told["ended_by"]["session_id"]) == ("password_changed", phone.session_id)
    assert (await phone.session()).status_code == 200
    assert (await phone.refresh()).status_code == 200
    assert (await bob.session()).status_code == 200


async def test_a_wrong_current_password_changes_nothing_and_is_a_failed_sign_in(ada: Person, ctx: Context) -> None:
    reply = await change(ada, current="not this one")
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_credentials")
    assert reply.json()["action"] != "reauthenticate"
    await log_in(ada.api)
    async with ctx.db() as tx:
        names = (await tx.scalars(select(AuditEvent.name))).all()
    assert "sign_in.refused" in names
    assert "password.changed" not in names


async def test_after_several_wrong_ones_the_right_one_has_to_wait(ada: Person) -> None:
    for _ in range(6):
        assert (await change(ada, current="not this one")).status_code == 401
    assert (await change(ada)).json()["code"] == "invalid_credentials"
    await log_in(ada.api)


async def test_a_weak_new_password_is_refused(ada: Person) -> None:
    for _ in range(8):
        reply = await change(ada, password="password1")
        assert (reply.status_code, reply.json()["code"], reply.json()["reason"]) == (422, "weak_password", "common")
    assert (await change(ada)).status_code == 204


async def test_it_needs_a_session_that_still_stands(ada: Person) -> None:
    await ada.log_out()
    assert (await change(ada)).json()["code"] == "session_ended"


@pytest.mark.parametrize("body", [{}, {"password": NEW}, {"current_password": PASSWORD}])
async def test_both_passwords_are_needed(ada: Person, body: dict[str, str]) -> None:
    reply = await ada.api.post(f"{PREFIX}/password/change", json=body, headers=bearer(ada.access_token))
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_the_owner_is_told(ada: Person, inbox: Inbox) -> None:
    await change(ada)
    letter = await inbox.last(to="ada@example.com")
    assert NEW not in letter.text
    assert len(await inbox.all()) == 2


async def test_it_is_on_record(ada: Person, ctx: Context) -> None:
    await change(ada)
    async with ctx.db() as tx:
        event = (await tx.scalars(select(AuditEvent).where(AuditEvent.name == "password.changed"))).one()
    assert (str(event.user_id), str(event.session_id)) == (ada.tokens["user"]["id"], ada.session_id)
    assert NEW not in str(event.data)
