"""`authapi users`, beside a server that runs."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from authapi.core import db
from authapi.users import service
from tests.cli.conftest import PATIENCE, Call, Launch, await_, sql
from tests.support.people import ADA, BOB, PREFIX, bearer
from tests.support.processes import serving

CANCELLED = "Postgres cancelled a statement that took longer than it may: try again when the server has less to do.\n"
NOBODY = "01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11"


@pytest.fixture
def http(environment: dict[str, str], tmp_path: Path) -> Iterator[httpx.Client]:
    with serving(environment, tmp_path / "serve.log") as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def ada(http: httpx.Client) -> dict[str, Any]:
    """The answer to her sign-up."""
    return sign_up(http, ADA | {"first_name": "Ada", "last_name": "Lovelace"})


def sign_up(http: httpx.Client, body: dict[str, str]) -> dict[str, Any]:
    reply = http.post(f"{PREFIX}/signup", json=body)
    assert reply.status_code == 201, reply.text
    told: dict[str, Any] = reply.json()
    return told


def session(http: httpx.Client, tokens: dict[str, Any]) -> httpx.Response:
    return http.get(f"{PREFIX}/session", headers=bearer(tokens["access_token"]))


def devices(http: httpx.Client, tokens: dict[str, Any]) -> httpx.Response:
    """By a call that asks the denylist, not the row."""
    return http.get(f"{PREFIX}/sessions", headers=bearer(tokens["access_token"]))


def marks(environment: dict[str, str]) -> set[tuple[str, str]]:
    """(event, by whom) of all that an operator did."""
    rows = sql(environment["AUTHAPI_DATABASE_URL"], "SELECT name, data->>'by' AS by FROM audit_events")
    return {(row["name"], row["by"]) for row in rows if row["by"]}


def test_people_are_found_by_a_part_of_address_or_name(
    call: Call, environment: dict[str, str], http: httpx.Client, ada: dict[str, Any]
) -> None:
    sign_up(http, BOB | {"first_name": "Bo", "last_name": "Bobby"})
    for text in ("ada@", "LOVE", "da Lov"):
        found = call("users", "find", text, environment=environment)
        assert (found.returncode, found.stderr) == (0, "")
        head, *rows = found.stdout.splitlines()
        assert head.split() == ["id", "address", "name", "state", "since"]
        assert [row.split()[:5] for row in rows] == [
            [ada["user"]["id"], "ada@example.com", "Ada", "Lovelace", "active"]
        ]
    both = json.loads(call("users", "find", "example", "--json", environment=environment).stdout)
    assert [person["email"] for person in both] == ["bob@example.com", "ada@example.com"]
    assert both[1] | {"first_name": "Ada", "state": "active", "email_verified": False} == both[1]
    one = call("users", "find", "example", "--limit", "1", "--json", environment=environment)
    assert len(json.loads(one.stdout)) == 1
    for nothing in ("zebra", "%", "a_a"):
        assert call("users", "find", nothing, environment=environment).returncode == 1


@contextmanager
def slow(environment: dict[str, str], seconds: float) -> Iterator[None]:
    """From here on, reading `users` takes so long: it is locked."""
    is_locked = threading.Event()

    async def lock() -> None:
        connection = await asyncpg.connect(environment["AUTHAPI_DATABASE_URL"].replace("+asyncpg", ""))
        async with connection.transaction():
            await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            is_locked.set()
            await asyncio.sleep(seconds)
        await connection.close()

    with ThreadPoolExecutor(1) as pool:
        locking = pool.submit(asyncio.run, lock())
        assert is_locked.wait(PATIENCE)
        yield
        locking.result()


def test_people_are_found_also_where_that_takes_longer_than_any_request(
    call: Call, environment: dict[str, str], ada: dict[str, Any]
) -> None:
    with slow(environment, db.ANSWER_TIMEOUT + 0.5):
        found = call("users", "find", "LOVE", "--json", environment=environment)
    assert (found.returncode, found.stderr) == (0, "")
    assert [person["id"] for person in json.loads(found.stdout)] == [ada["user"]["id"]]


def test_finding_people_has_its_own_limit(
    call: Call, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FIND_TIMEOUT", 1)
    with slow(environment, 2):
        run = call("users", "find", "LOVE", environment=environment)
    assert (run.returncode, run.stderr) == (1, CANCELLED)


def test_a_statement_that_took_too_long_is_no_database_that_is_away(call: Call, environment: dict[str, str]) -> None:
    with slow(environment, db.STATEMENT_TIMEOUT + 0.5):
        run = call("users", "show", "ada@example.com", environment=environment)
    assert (run.returncode, run.stderr) == (1, CANCELLED)


def test_a_person_is_shown_with_their_devices_and_without_secrets(
    call: Call, environment: dict[str, str], ada: dict[str, Any]
) -> None:
    shown = call("users", "show", "ADA@example.com", environment=environment)
    assert (shown.returncode, shown.stderr) == (0, "")
    for told in ("Ada Lovelace", "not verified", "password", "Python (httpx)", ada["session_id"], "127.0.0.1"):
        assert told in shown.stdout
    found = json.loads(call("users", "show", ada["user"]["id"], "--json", environment=environment).stdout)
    assert (found["methods"], [each["device"] for each in found["sessions"]]) == (["password"], ["Python (httpx)"])
    assert "hash" not in str(found)


@pytest.mark.parametrize("who", [NOBODY, "nobody@example.com", "nobody"])
def test_who_is_not_there_is_said_in_a_line(call: Call, environment: dict[str, str], who: str) -> None:
    for command in ("show", "disable", "enable", "end-sessions", "send-reset", "delete"):
        run = call("users", command, who, environment=environment)
        assert (run.returncode, run.stderr) == (1, f"Nobody here has the id or the address {who}.\n")


def test_a_disabled_person_is_refused_within_a_second_until_they_are_enabled(
    call: Call, environment: dict[str, str], http: httpx.Client, ada: dict[str, Any]
) -> None:
    assert devices(http, ada).status_code == 200
    run = call("users", "disable", "ada@example.com", environment=environment)
    ended = time.monotonic()
    assert (run.returncode, run.stdout) == (0, "ada@example.com is disabled and signed out everywhere.\n")
    await_(lambda: devices(http, ada).json().get("reason") == "account_disabled", 1)
    assert time.monotonic() - ended < 1
    assert session(http, ada).json()["reason"] == "account_disabled"
    refused = http.post(f"{PREFIX}/refresh", json={"refresh_token": ada["refresh_token"]})
    assert refused.json()["reason"] == "account_disabled"
    assert http.post(f"{PREFIX}/login", json=ADA).json()["code"] == "invalid_credentials"
    assert call("users", "disable", "ada@example.com", environment=environment).returncode == 0

    assert call("users", "enable", "ada@example.com", environment=environment).returncode == 0
    assert http.post(f"{PREFIX}/login", json=ADA).status_code == 200
    assert session(http, ada).status_code == 401
    assert marks(environment) == {("user.disabled", "operator"), ("user.enabled", "operator")}


def test_sessions_are_ended_and_the_person_can_come_back(
    call: Call, environment: dict[str, str], http: httpx.Client, ada: dict[str, Any]
) -> None:
    bob = sign_up(http, BOB)
    run = call("users", "end-sessions", ada["user"]["id"], environment=environment)
    assert (run.returncode, run.stdout) == (0, "ada@example.com is signed out everywhere.\n")
    assert devices(http, ada).json()["reason"] == "ended_by_operator"
    assert devices(http, bob).status_code == 200
    assert http.post(f"{PREFIX}/login", json=ADA).status_code == 200


def test_deleting_asks_and_can_be_taken_back_while_the_person_is_there(
    call: Call, environment: dict[str, str], http: httpx.Client, ada: dict[str, Any]
) -> None:
    no = call("users", "delete", "ada@example.com", environment=environment, stdin="n\n")
    assert no.returncode == 1
    assert ada["user"]["id"] in no.stdout
    assert session(http, ada).status_code == 200
    yes = call("users", "delete", "ada@example.com", environment=environment, stdin="y\n")
    assert yes.returncode == 0
    assert devices(http, ada).json()["reason"] == "account_deleted"
    assert http.post(f"{PREFIX}/login", json=ADA).json()["code"] == "invalid_credentials"
    found = json.loads(call("users", "find", "ada@", "--json", environment=environment).stdout)
    assert [person["state"] for person in found] == ["leaving"]

    assert call("users", "enable", "ada@example.com", environment=environment).returncode == 0
    assert http.post(f"{PREFIX}/login", json=ADA).status_code == 200
    assert call("users", "delete", "--yes", "ada@example.com", environment=environment).returncode == 0
    assert ("user.leaving", "operator") in marks(environment)


def test_a_link_for_a_new_password_is_sent_by_the_worker(
    call: Call, launch: Launch, environment: dict[str, str], http: httpx.Client, ada: dict[str, Any]
) -> None:
    run = call("users", "send-reset", "ada@example.com", environment=environment)
    assert (run.returncode, run.stdout) == (0, "A link for ada@example.com is on its way.\n")
    launch("worker", environment=environment)
    query = "SELECT count(*) FROM messages WHERE kind = 'reset_password' AND recipient = 'ada@example.com'"
    await_(lambda: sql(environment["AUTHAPI_DATABASE_URL"], query)[0][0] == 1)


def test_help_comes_without_settings(call: Call, outside: dict[str, str]) -> None:
    run = call("users", "--help", environment=outside)
    assert run.returncode == 0
    for command in ("find", "show", "disable", "enable", "end-sessions", "send-reset", "delete"):
        assert command in run.stdout
