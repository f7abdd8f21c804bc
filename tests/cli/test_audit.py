"""`authapi audit verify`, and a service whose role can only add to what is on record."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from authapi.core.context import open_context
from authapi.core.settings import Settings
from authapi.doctor import service as doctor
from authapi.doctor.findings import Finding
from authapi.worker import JOBS
from tests.cli.conftest import Call, Launch, await_, sql
from tests.cli.test_worker import DUE, IDLE
from tests.support.people import PASSWORD, PREFIX, Person, bearer, log_in, sign_up
from tests.support.processes import serving
from tests.support.tampering import record

FORBIDDEN = (
    "UPDATE audit_events SET name = 'x'",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "DROP TABLE audit_events",
    "UPDATE audit_chains SET seq = 0",
    "INSERT INTO audit_chains (seq, hash, cut_seq, cut_hash) VALUES (0, '', 0, '')",
    "DELETE FROM audit_anchors",
    "UPDATE alembic_version SET version_num = 'x'",
    "CREATE TABLE mine (id int)",
    "SET session_replication_role = replica",
)


@pytest.fixture
def role(own_database: str) -> Iterator[str]:
    """One that may do nothing yet."""
    name = f"serving-{secrets.token_hex(4)}"
    sql(own_database, f'CREATE ROLE "{name}" LOGIN')
    yield name
    sql(own_database, f'DROP OWNED BY "{name}"')
    sql(own_database, f'DROP ROLE "{name}"')


@pytest.fixture
def limited(environment: dict[str, str], call: Call, role: str) -> dict[str, str]:
    """The environment of a service with a role that was granted what it needs."""
    run = call("migrate", "grant", role, environment=environment)
    assert (run.returncode, run.stderr) == (0, "")
    url = environment["AUTHAPI_DATABASE_URL"]
    return environment | {"AUTHAPI_DATABASE_URL": url.replace("authapi@", f"{role}@")}


def test_the_whole_service_works_with_a_role_that_cannot_change_events(
    limited: dict[str, str], tmp_path: Path, launch: Launch, call: Call
) -> None:
    with serving(limited, tmp_path / "serve.log") as url:
        asyncio.run(_a_day(url))
    names = {row["name"] for row in sql(limited["AUTHAPI_DATABASE_URL"], "SELECT name FROM audit_events")}
    assert {"user.signed_up", "sign_in.passed", "sign_in.refused", "session.ended"} <= names
    first = launch("worker", environment=limited)
    await_(lambda: len(sql(limited["AUTHAPI_DATABASE_URL"], "SELECT 1 FROM jobs.pgqueuer_schedules")) == len(JOBS))
    assert first.end() == 0
    sql(limited["AUTHAPI_DATABASE_URL"], DUE)
    worker = launch("worker", environment=limited)
    await_(lambda: not sql(limited["AUTHAPI_DATABASE_URL"], IDLE))
    assert worker.end() == 0
    said = worker.said()
    assert [job.name for job in JOBS if f'"job":"{job.name}"' not in said] == []
    assert not any("permission denied" in log for log in (said, first.said(), (tmp_path / "serve.log").read_text()))
    assert sql(limited["AUTHAPI_DATABASE_URL"], "SELECT 1 FROM audit_anchors")
    assert call("audit", "verify", environment=limited).returncode == 0


async def _a_day(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as api:
        ada: Person = await sign_up(api)
        wrong = await api.post(f"{PREFIX}/login", json={"email": "ada@example.com", "password": f"{PASSWORD}!"})
        assert wrong.status_code == 401
        other = await log_in(api)
        assert (await other.refresh()).status_code == 200
        assert (await other.session()).status_code == 200
        assert (await ada.log_out(scope="others")).status_code == 204
        events = await api.get("/api/v1/users/me/events", headers=bearer(ada.access_token))
        assert {event["name"] for event in events.json()["events"]} >= {"sign_in.refused", "session.ended"}
        assert (await ada.log_out()).status_code == 204


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_what_the_service_may_not_do(limited: dict[str, str], statement: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match=r"permission denied|must be owner"):
        sql(limited["AUTHAPI_DATABASE_URL"], statement)


def settings_of(environment: dict[str, str]) -> Settings:
    return Settings(
        _env_file=None,
        env="development",
        database_url=environment["AUTHAPI_DATABASE_URL"],
        redis_url=environment["AUTHAPI_REDIS_URL"],
        secret=environment["AUTHAPI_SECRET"],
    )


def test_the_doctor_tells_the_two_roles_apart(environment: dict[str, str], limited: dict[str, str]) -> None:
    levels = []
    for each in (environment, limited):
        findings = asyncio.run(doctor.examine(settings_of(each)))
        levels += [finding.level for finding in findings if finding.subject == "audit"]
    assert levels == ["warning", "ok"]


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        ("CREATE TABLE passkeys (id int)", "4 rights, such as DELETE on public.passkeys"),
        ("CREATE SEQUENCE jobs.numbers", "1 rights, such as USAGE on numbers"),
        ('REVOKE INSERT ON users FROM "{role}"', "1 rights, such as INSERT on public.users"),
        ('REVOKE EXECUTE ON FUNCTION audit_blank FROM "{role}"', "1 rights, such as EXECUTE on audit_blank"),
    ],
)
def test_the_doctor_sees_that_rights_were_not_granted_anew(
    limited: dict[str, str], own_database: str, role: str, after: str, missing: str
) -> None:
    def rights() -> Finding:
        (finding,) = [each for each in asyncio.run(doctor.examine(settings_of(limited))) if each.subject == "rights"]
        return finding

    assert rights().level == "ok"
    sql(own_database, after.format(role=role))
    assert rights().level == "error"
    assert missing in rights().message


def test_rights_are_not_granted_to_who_owns_everything(call: Call, environment: dict[str, str]) -> None:
    owner = call("migrate", "grant", "authapi", environment=environment)
    assert owner.returncode == 1
    assert "owns the tables" in owner.stderr
    nobody = call("migrate", "grant", "nobody'; DROP", environment=environment)
    assert nobody.returncode == 1
    assert "There is no role" in nobody.stderr


def test_verifying_tells_what_does_not_fit(call: Call, environment: dict[str, str], own_database: str) -> None:
    empty = call("audit", "verify", environment=environment)
    assert (empty.returncode, empty.stdout) == (0, "0 events in 0 chains, all whole.\n")
    asyncio.run(_record(environment))
    whole = call("audit", "verify", environment=environment)
    assert (whole.returncode, whole.stdout) == (0, "4 events in 1 chains, all whole.\n")
    sql(own_database, "ALTER TABLE audit_events DISABLE TRIGGER tg_audit_events_keep")
    sql(own_database, "DELETE FROM audit_events WHERE seq = 2")
    broken = call("audit", "verify", environment=environment)
    (row,) = sql(
        own_database, "SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day FROM audit_events WHERE seq = 3"
    )
    assert broken.returncode == 1
    assert f"events 2 to 2 are missing before event 3 ({row['id']} of {row['day']}" in broken.stdout
    assert "1 of them broken" in broken.stdout


async def _record(environment: dict[str, str]) -> None:
    settings = Settings(
        _env_file=None,
        env="development",
        database_url=environment["AUTHAPI_DATABASE_URL"],
        redis_url=environment["AUTHAPI_REDIS_URL"],
        secret=environment["AUTHAPI_SECRET"],
    )
    async with open_context(settings) as ctx:
        await record(ctx, 4)


def test_events_of_before_the_chains_are_chained(call: Call, environment: dict[str, str], own_database: str) -> None:
    asyncio.run(_record(environment))
    down = call("migrate", "down", "2026_11_21_0902", "--yes", environment=environment)
    assert (down.returncode, len(sql(own_database, "SELECT 1 FROM audit_events"))) == (0, 4)
    assert call("migrate", "up", environment=environment).returncode == 0
    asyncio.run(_record(environment))
    assert "8 events in 1 chains, all whole" in call("audit", "verify", environment=environment).stdout
