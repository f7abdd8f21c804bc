"""The Postgres started for development and tests, with real servers."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from authapi.local import postgres, process
from authapi.local.binaries import CannotStart, NoBinaries, postgres_binaries

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands servers to another user")
ONE_START = (
    "import sys, pathlib as p; from authapi.local import postgres; print(postgres.start(p.Path(sys.argv[1])).pid)"
)


def query(server: postgres.Postgres, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def kill(server: postgres.Postgres) -> None:
    os.kill(server.pid, signal.SIGKILL)


def test_a_restart_keeps_data_and_port(folder: Path) -> None:
    first = postgres.start(folder)
    query(first, "CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid, 0)
    second = postgres.start(folder)
    assert (second.started, second.port) == (True, first.port)
    assert query(second, "SELECT n FROM kept") == 7
    second.stop()
    second.stop()


def test_it_is_set_up_as_promised(folder: Path) -> None:
    server = postgres.start(folder, options={"work_mem": "5MB"})
    expected = {
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "max_connections": "200",
        "fsync": "on",
        "listen_addresses": "127.0.0.1",
        "work_mem": "5MB",
    }
    assert {name: query(server, f"SHOW {name}") for name in expected} == expected


def test_killed_and_started_again_it_has_the_data(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    query(first, "CREATE TABLE kept AS SELECT 7 AS n")
    kill(first)
    second = postgres.start(folder, durable=False)
    assert (second.started, second.pid != first.pid) == (True, True)
    assert query(second, "SELECT n FROM kept") == 7
    assert (second.data / "postmaster.pid").read_text().split("\n")[0] == str(second.pid)


def test_a_running_server_is_joined_and_can_be_stopped_by_whoever_joined(folder: Path) -> None:
    asked = subprocess.run([sys.executable, "-c", ONE_START, folder], capture_output=True, text=True, check=True)
    server = postgres.start(folder)
    assert (server.started, server.pid) == (False, int(asked.stdout))
    server.stop()
    assert postgres.start(folder).started


def test_a_server_nobody_noted_is_found(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    (folder / "state.json").unlink()
    assert postgres.start(folder, durable=False).pid == first.pid


def test_many_starters_end_up_with_one_server(folder: Path) -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", ONE_START, folder], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    pids = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert pids == {str(postgres.start(folder).pid)}


@pytest.mark.parametrize(
    "state",
    [f'{{"pid": {os.getpid()}, "port": 5432}}', "[1]", '{"pid": "x", "port": 99999}', ""],
    ids=["reused", "a list", "of other types", "empty"],
)
def test_a_reused_pid_or_a_damaged_state_is_not_believed(folder: Path, state: str) -> None:
    first = postgres.start(folder, durable=False)
    kill(first)
    (folder / "state.json").write_text(state)
    (first.data / "postmaster.pid").write_text(f"{os.getpid()}\n{first.data}\n1\n5432\n\n127.0.0.1\n\nready\n")
    second = postgres.start(folder, durable=False)
    assert second.started
    assert second.pid not in (first.pid, os.getpid())
    assert query(second, "SELECT 1") == 1


def test_a_server_of_the_past_does_not_stop_its_successor(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    kill(first)
    second = postgres.start(folder, durable=False)
    first.stop()
    assert query(second, "SELECT 1") == 1
    assert json.loads((folder / "state.json").read_text()) == {"pid": second.pid, "port": second.port}


def test_a_port_taken_meanwhile_is_replaced(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = postgres.start(folder, durable=False)
    assert second.port != first.port


def test_a_lost_race_for_the_port_is_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = postgres.start(folder / "other", durable=False)
    free = process._free_port
    answers = iter([other.port])
    monkeypatch.setattr(process, "_free_port", lambda earlier: next(answers, None) or free(earlier))
    server = postgres.start(folder / "late", durable=False)
    assert server.port != other.port
    assert query(server, "SHOW data_directory") == str(server.data)


def test_a_half_made_data_folder_is_made_again(folder: Path) -> None:
    (folder / "init-killed" / "base").mkdir(parents=True)
    (folder / "init-killed" / "PG_VERSION").write_text("18\n")
    assert postgres.start(folder, durable=False).started
    assert not list(folder.glob("init-*"))


def test_a_database_is_made_once(folder: Path) -> None:
    server = postgres.start(folder, durable=False)
    assert postgres.ensure_database(server, 'odd "name"; x') is True
    assert postgres.ensure_database(server, 'odd "name"; x') is False


def test_a_folder_that_cannot_be_one_is_refused_in_one_sentence(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(CannotStart, match=r"^Postgres cannot use the folder .*Not a directory.*: name a folder .*\.$"):
        postgres.start(folder / "file" / "below")


def test_foreign_data_are_left_alone(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "letter").touch()
    with pytest.raises(CannotStart, match="something other than a Postgres"):
        postgres.start(folder)
    assert (folder / "data" / "letter").exists()


def test_the_servers_own_words_are_passed_on(folder: Path) -> None:
    with pytest.raises(CannotStart, match='unrecognized configuration parameter "no_such_thing"'):
        postgres.start(folder, durable=False, options={"no_such_thing": "1"})


def test_binaries_that_are_named_but_missing_are_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", str(folder))
    with pytest.raises(NoBinaries, match="PG_BINDIR"):
        postgres.start(folder)


@as_root
def test_root_does_not_run_it(folder: Path) -> None:
    server = postgres.start(folder, durable=False)
    assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
    assert folder.stat().st_uid == 0
    assert folder.stat().st_mode & 0o777 == 0o755


@as_root
def test_below_a_closed_folder_the_data_lie_elsewhere_and_are_found_again(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    first = postgres.start(closed / "pg", durable=False)
    query(first, "CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    second = postgres.start(closed / "pg", durable=False)
    assert query(second, "SELECT n FROM kept") == 7
    assert second.data == (closed / "pg" / "data").resolve()
    assert not second.data.is_relative_to(closed)
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_below_a_closed_folder_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    install = postgres_binaries().parent
    shutil.copytree(install, closed / install.parent.name / install.name, symlinks=True)
    libraries = install.parent.parent / f"{install.parent.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    monkeypatch.setenv("PG_BINDIR", str(closed / install.parent.name / install.name / "bin"))
    monkeypatch.setattr("authapi.local.account._shelter", lambda *, lasting: folder)
    server = postgres.start(folder / "pg", durable=False)
    assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(folder)
    assert len(list(folder.glob("programs-*"))) == 1
    assert query(server, "SELECT 1") == 1
