"""`authapi seed`."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.cli.conftest import Call, sql
from tests.support.people import PREFIX, bearer
from tests.support.processes import serving

PRODUCTION = {
    "AUTHAPI_ENV": "production",
    "AUTHAPI_PUBLIC_URL": "https://auth.example.com",
    "AUTHAPI_SMTP_URL": "smtp://127.0.0.1:1",
    "AUTHAPI_MAIL_FROM": "hello@example.com",
}


def people(call: Call, environment: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("users", "find", "", "--json", environment=environment).stdout)
    return found


def counts(environment: dict[str, str]) -> dict[str, int]:
    """Of each table with people in it, but the record."""
    url = environment["AUTHAPI_DATABASE_URL"]
    tables = ("users", "credentials", "passwords", "sessions", "messages", "one_time_secrets")
    return {table: sql(url, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def test_a_small_population_is_made_up_and_lives(call: Call, environment: dict[str, str], tmp_path: Path) -> None:
    run = call("seed", "--people", "8", environment=environment)
    assert (run.returncode, run.stderr) == (0, "")
    assert "8 people were added" in run.stdout
    password = run.stdout.strip().rpartition(": ")[2]
    found = people(call, environment)
    assert len({person["email"] for person in found}) == 8
    assert {person["email"].partition("@")[2] for person in found} == {"seed.example.com"}
    assert sorted({person["email_verified"] for person in found}) == [False, True]
    assert [person["state"] for person in found].count("disabled") == 1
    assert counts(environment)["sessions"] >= 16
    assert counts(environment)["messages"] == 0

    with serving(environment, tmp_path / "serve.log") as url, httpx.Client(base_url=url) as http:
        doors = {}
        for person in found:
            reply = http.post(f"{PREFIX}/login", json={"email": person["email"], "password": password})
            doors[person["email"]] = reply
        shut = [email for email, reply in doors.items() if reply.status_code == 401]
        assert len(shut) == 2, "the disabled and the locked one"
        open_doors = [reply.json() for reply in doors.values() if reply.status_code == 200]
        assert len(open_doors) == 6
        listed = [
            http.get(f"{PREFIX}/sessions", headers=bearer(tokens["access_token"])).json()["sessions"]
            for tokens in open_doors
        ]
    devices = {session["device"] for sessions in listed for session in sessions}
    assert {"Firefox on Linux", "Chrome on Windows", "Safari on iPhone"} <= devices
    assert max(len(sessions) for sessions in listed) >= 4


def test_seeding_again_adds_only_who_is_missing(call: Call, environment: dict[str, str]) -> None:
    call("seed", "--people", "3", environment=environment)
    again = call("seed", "--people", "5", environment=environment)
    assert "2 people were added" in again.stdout
    nothing = call("seed", "--people", "5", environment=environment)
    assert "already" in nothing.stdout
    assert len(people(call, environment)) == 5


def test_cleaning_removes_whom_it_made_and_nobody_else(call: Call, environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path / "serve.log") as url:
        for address in ("ada@example.com", "ada@notseed.example.com", "seed.example.com@example.com"):
            body = {"email": address, "password": "correct horse battery staple"}
            assert httpx.post(f"{url}{PREFIX}/signup", json=body).status_code == 201
    before = counts(environment)
    call("seed", "--people", "4", environment=environment)
    assert counts(environment)["users"] == before["users"] + 4
    run = call("seed", "--clean", environment=environment)
    assert (run.returncode, run.stdout.count("@seed.example.com")) == (0, 4)
    assert counts(environment) == before
    left = sql(environment["AUTHAPI_DATABASE_URL"], "SELECT name FROM audit_events WHERE name = 'user.erased'")
    assert len(left) == 4
    assert "Nobody" in call("seed", "--clean", environment=environment).stdout


def test_nobody_is_made_up_in_production(call: Call, environment: dict[str, str]) -> None:
    for arguments in (("seed",), ("seed", "--clean")):
        run = call(*arguments, environment=environment | PRODUCTION)
        assert run.returncode == 2
        assert "AUTHAPI_ENV" in run.stderr
    assert counts(environment)["users"] == 0
