"""`authapi migrate`."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from authapi import migrations
from tests.cli.conftest import Call, sql

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema IN ('public', 'jobs')"


@pytest.fixture
def environment(environment: dict[str, str], empty_database: str) -> dict[str, str]:
    return environment | {"AUTHAPI_DATABASE_URL": empty_database}


def test_an_empty_database_goes_up_and_down_and_up_again(
    call: Call, environment: dict[str, str], empty_database: str
) -> None:
    missing = call("migrate", "status", environment=environment)
    assert (missing.returncode, missing.stdout.count("missing")) == (0, len(_all(empty_database)))
    assert call("migrate", "status", "--check", environment=environment).returncode == 1

    up = call("migrate", "up", environment=environment)
    assert (up.returncode, up.stderr) == (0, "")
    assert up.stdout.split() == _all(empty_database)
    first = _tables(empty_database)

    down = call("migrate", "down", "base", "--yes", environment=environment)
    assert (down.returncode, down.stdout.split()) == (0, _all(empty_database)[::-1])
    assert _tables(empty_database) == {"alembic_version"}

    assert call("migrate", "up", environment=environment).returncode == 0
    assert _tables(empty_database) == first
    assert call("migrate", "status", "--check", environment=environment).returncode == 0
    assert "Nothing was missing" in call("migrate", "up", environment=environment).stdout


def test_one_step_can_be_taken_back(call: Call, environment: dict[str, str], empty_database: str) -> None:
    migrations.up(empty_database)
    assert call("migrate", "down", "-1", "--yes", environment=environment).returncode == 0
    assert len(migrations.status(empty_database).pending) == 1


def test_going_down_asks_before_it_deletes(call: Call, environment: dict[str, str], empty_database: str) -> None:
    migrations.up(empty_database)
    assert call("migrate", "down", "base", environment=environment, stdin="n\n").returncode == 1
    assert not migrations.status(empty_database).pending


def test_four_that_start_at_once_migrate_once(
    call_alone: Call, environment: dict[str, str], empty_database: str
) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: call_alone("migrate", "up", environment=environment), range(4)))
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 4
    said = sorted(name for run in runs for name in run.stdout.split("\n") if name[:2] == "20")
    assert said == _all(empty_database)


def test_an_unknown_revision_is_told_in_a_sentence(call: Call, environment: dict[str, str]) -> None:
    run = call("migrate", "up", "nonsense", environment=environment)
    assert run.returncode == 1
    assert "nonsense" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_database_of_newer_code_is_told_in_a_sentence(
    call: Call, environment: dict[str, str], empty_database: str
) -> None:
    migrations.up(empty_database)
    sql(empty_database, "UPDATE alembic_version SET version_num = '2099_01_01_0000'")
    assert "newer" in call("migrate", "status", environment=environment).stdout
    run = call("migrate", "up", environment=environment)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)


def test_an_unreachable_database_is_told_in_a_sentence(call: Call, environment: dict[str, str]) -> None:
    url = "postgresql://someone:hidden-password@127.0.0.1:1/nowhere"
    run = call("migrate", "up", environment=environment | {"AUTHAPI_DATABASE_URL": url})
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "hidden-password" not in run.stderr


def test_settings_that_are_missing_are_listed(call: Call, outside: dict[str, str]) -> None:
    run = call("migrate", "up", environment=outside)
    assert run.returncode == 2
    assert all(name in run.stderr for name in ("AUTHAPI_DATABASE_URL", "AUTHAPI_REDIS_URL", "AUTHAPI_SECRET"))
    assert "Traceback" not in run.stderr


def _tables(url: str) -> set[str]:
    return {row["table_name"] for row in sql(url, TABLES)}


def _all(url: str) -> list[str]:
    """Every revision, the oldest first."""
    found = migrations.status(url)
    if not found.pending:
        names = sorted(path.name[:15] for path in (migrations.folder() / "versions").glob("20*.py"))
        assert names[-1] == found.head
        return names
    return [step.revision for step in found.pending]
