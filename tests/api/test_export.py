"""Everything that is held about a person, handed to the person."""

from typing import Any

import httpx
import pytest
from sqlalchemy import Table as AnyTable
from sqlalchemy import select

import authapi.app  # noqa: F401  (every table is then in the metadata)
from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.core.db import Table
from authapi.signin import export as exporting
from authapi.signin.export import PARTS
from tests.conftest import Start
from tests.support.contract import leaks
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, bearer, log_in, sign_up

EXPORT = "/api/v1/users/me/export"

WITHHELD = {
    "users": {},
    "credentials": {"user_id": "it is the person's own id"},
    "passwords": {
        "credential_id": "the table is withheld: `credentials` says that there is a password",
        "hash": "a secret",
        "set_at": "as the table",
    },
    "sessions": {
        "user_id": "it is the person's own id",
        "generation": "a part of the refresh token",
        "token_hash": "a secret",
        "salt": "a secret",
        "idle_lifetime": "a copy of a setting; `idle_expires_at` is what it leads to",
    },
    "messages": {
        "user_id": "it is the person's own id",
        "sealed": "codes and links",
        "tries": "about the delivery",
        "deaths": "about the delivery",
        "last_error": "about the delivery; names servers",
        "due_at": "about the delivery",
        "expires_at": "about the delivery",
    },
    "one_time_secrets": {
        "user_id": "it is the person's own id",
        "digest": "a secret",
        "code_digest": "a secret",
        "binding": "what the code is for: the person's address or id again",
        "data": "a secret",
    },
    "audit_events": {
        "user_id": "it is the person's own id",
        "chain": "holds the record together",
        "seq": "holds the record together",
        "salt": "holds the record together",
        "client_hash": "holds the record together",
        "hash": "holds the record together",
    },
}
"""The columns of tables about people that are not handed out, and why."""


async def export(person: Person) -> httpx.Response:
    return await person.api.get(EXPORT, headers=bearer(person.access_token))


def about_people() -> list[AnyTable]:
    """Every table that hangs on a person: by a column `user_id`, or by keys that lead to `users`."""
    found = {Table.metadata.tables["users"]}
    tables = Table.metadata.sorted_tables  # a table stands after those that its keys lead to
    for table in tables:
        if "user_id" in table.columns or any(key.column.table in found for key in table.foreign_keys):
            found.add(table)
    return [table for table in tables if table in found]


def test_of_every_table_about_people_each_column_is_handed_out_or_withheld_for_a_reason() -> None:
    """A new table or column is found here: name it in `signin/export.py`, or say above why not."""
    shown: dict[str, set[str]] = {}
    for part in PARTS:
        shown.setdefault(part.owner.property.columns[0].table.name, set()).update(column.key for column in part.shown)
    columns = {table.name: {column.name for column in table.columns} for table in about_people()}
    assert {name: shown.get(name, set()) | WITHHELD[name].keys() for name in columns} == columns
    assert {name: shown[name] & WITHHELD[name].keys() for name in shown} == {name: set() for name in shown}
    assert set(WITHHELD) == set(columns)


def test_every_table_about_people_is_emptied_with_the_person() -> None:
    """The record alone outlives them, and forgets where they were."""
    outliving = []
    for table in about_people():
        rules = {key.ondelete for key in table.foreign_keys}
        if table.name != "users" and "CASCADE" not in rules:
            outliving.append(table.name)
    assert outliving == ["audit_events"]


async def test_all_that_is_held_is_handed_out_as_a_file(start: Start, inbox: Inbox, clock: MovedClock) -> None:
    _, api = await start(email_verification="optional")
    await sign_up(api, BOB)
    ada = await sign_up(api, ADA, first_name="Ada", last_name="Lovelace")
    await ada.log_out()
    back = await log_in(api)
    letter = await inbox.last(to="ada@example.com")
    reply = await export(back)
    assert reply.status_code == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="account.json"'
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert told["is_complete"] is True
    assert (told["profile"]["email"], told["profile"]["last_name"]) == ("ada@example.com", "Lovelace")
    assert [each["method"] for each in told["credentials"]] == ["password"]
    assert [(each["id"], each["end_reason"]) for each in told["sessions"]] == [
        (back.session_id, None),
        (ada.session_id, "logout"),
    ]
    assert "verify_address" in [each["kind"] for each in told["messages"]]
    assert [each["purpose"] for each in told["one_time_secrets"]] == ["verify_address"]
    assert [each["name"] for each in told["events"]][-1] == "user.signed_up"
    assert {"session.ended", "sign_in.passed"} <= {each["name"] for each in told["events"]}
    assert "bob" not in reply.text
    assert letter.token not in reply.text
    secrets = leaks.issued([httpx.Response(200, json=back.tokens, request=httpx.Request("POST", f"{PREFIX}/login"))])
    assert secrets
    assert leaks.found({**secrets, "password": ADA["password"]}, {"export": reply.text}) == []


async def test_taking_it_along_is_on_record(ada: Person, ctx: Context) -> None:
    await export(ada)
    async with ctx.db() as tx:
        (event,) = (await tx.scalars(select(AuditEvent).where(AuditEvent.name == "user.exported"))).all()
    assert str(event.session_id) == ada.session_id


async def test_taking_it_along_needs_a_recent_sign_in(ada: Person, clock: MovedClock) -> None:
    clock.advance(minutes=6)
    reply = await export(ada)
    assert (reply.status_code, reply.json()["code"]) == (403, "recent_sign_in_needed")


async def test_taking_it_along_again_and_again_is_limited(start: Start) -> None:
    _, api = await start(limits_scale=0.1)
    ada = await sign_up(api)
    assert (await export(ada)).status_code == 200
    assert (await export(ada)).json()["code"] == "too_many_requests"


async def test_of_a_list_that_is_too_long_the_newest_are_handed_out(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: dict[str, Any] = (await export(ada)).json()
    monkeypatch.setattr(exporting, "MOST", 1)
    phone = await log_in(ada.api)
    told = (await export(phone)).json()
    assert (whole["is_complete"], told["is_complete"]) == (True, False)
    assert [each["id"] for each in told["sessions"]] == [phone.session_id]
    assert len(told["events"]) == 1


async def test_nobody_takes_along_what_is_held_about_somebody_else(ada: Person) -> None:
    bob = await sign_up(ada.api, BOB)
    assert (await export(bob)).json()["profile"]["email"] == "bob@example.com"
    assert (await ada.api.get(EXPORT)).json()["code"] == "token_missing"
