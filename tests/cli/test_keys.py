"""`authapi keys`."""

from tests.cli.conftest import Call


def test_keys_are_rotated_only_once_others_know_the_next_one(call: Call, environment: dict[str, str]) -> None:
    assert "none yet" in call("keys", "list", environment=environment).stdout

    soon = call("keys", "rotate", environment=environment)
    assert (soon.returncode, soon.stderr.count("\n")) == (1, 1)
    assert "--force" in soon.stderr

    forced = call("keys", "rotate", "--force", environment=environment)
    assert (forced.returncode, forced.stderr) == (0, "")
    kid = forced.stdout.split()[0]

    lines = call("keys", "list", environment=environment).stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["next", "current", "previous"]
    assert lines[2].split()[0] == kid


def test_keys_of_a_database_that_is_not_migrated(call: Call, environment: dict[str, str], empty_database: str) -> None:
    run = call("keys", "list", environment=environment | {"AUTHAPI_DATABASE_URL": empty_database})
    assert (run.returncode, run.stderr) == (1, "The database is not migrated: run `authapi migrate up`.\n")


def test_leaked_keys_are_revoked(call: Call, environment: dict[str, str]) -> None:
    call("keys", "rotate", "--force", environment=environment)
    before = call("keys", "list", environment=environment).stdout
    kid = call("keys", "rotate", "--revoke", environment=environment).stdout.split()[0]
    lines = call("keys", "list", environment=environment).stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["next", "current"]
    assert lines[2].split()[0] == kid
    assert not {line.split()[0] for line in lines[1:]} & {line.split()[0] for line in before.splitlines()[1:]}
