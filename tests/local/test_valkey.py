"""The Valkey started for development and tests, with real servers."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from authapi.local import process, valkey
from authapi.local.binaries import CannotStart, valkey_binary

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands servers to another user")
ONE_START = "import sys, pathlib as p; from authapi.local import valkey; print(valkey.start(p.Path(sys.argv[1])).pid)"


def client(server: valkey.Valkey, db: int = 0) -> redis.Redis:
    return redis.Redis.from_url(server.url(db), decode_responses=True)


def test_a_restart_keeps_data_and_port(folder: Path) -> None:
    first = valkey.start(folder)
    client(first, db=3).set("kept", "7")
    first.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid, 0)
    second = valkey.start(folder)
    assert (second.started, second.port) == (True, first.port)
    assert client(second, db=3).get("kept") == "7"
    second.stop()


def test_killed_and_started_again_it_has_the_data(folder: Path) -> None:
    first = valkey.start(folder)
    client(first).set("kept", "7")
    os.kill(first.pid, signal.SIGKILL)
    second = valkey.start(folder)
    assert second.started
    assert client(second).get("kept") == "7"


@pytest.mark.parametrize("durable", [True, False])
def test_it_is_set_up_as_promised(folder: Path, durable: bool) -> None:
    server = valkey.start(folder, durable=durable)
    expected = {
        "appendonly": "yes" if durable else "no",
        "maxmemory-policy": "noeviction",
        "save": "",
        "bind": "127.0.0.1",
    }
    assert client(server).config_get(*expected) == expected


def test_many_starters_end_up_with_one_server_that_can_be_joined_and_stopped(folder: Path) -> None:
    starters = [
        subprocess.Popen([sys.executable, "-c", ONE_START, folder], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    pids = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    server = valkey.start(folder)
    assert pids == {str(server.pid)}
    assert not server.started
    server.stop()
    assert valkey.start(folder).started


def test_a_server_nobody_noted_is_found(folder: Path) -> None:
    first = valkey.start(folder)
    (folder / "state.json").unlink()
    assert valkey.start(folder).pid == first.pid


def test_a_reused_pid_is_not_believed(folder: Path) -> None:
    (folder / "state.json").write_text(f'{{"pid": {os.getpid()}, "port": 6379}}')
    server = valkey.start(folder, durable=False)
    assert server.started
    assert client(server).ping()


def test_a_lost_race_for_the_port_is_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = valkey.start(folder / "other", durable=False)
    free = process._free_port
    answers = iter([other.port])
    monkeypatch.setattr(process, "_free_port", lambda earlier: next(answers, None) or free(earlier))
    server = valkey.start(folder / "late", durable=False)
    assert server.port != other.port
    assert client(server).info("server")["process_id"] == server.pid


def test_a_folder_that_cannot_be_one_is_refused_in_one_sentence(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(CannotStart, match=r"^Valkey cannot use the folder .*Not a directory.*: name a folder .*\.$"):
        valkey.start(folder / "file" / "below")


@as_root
def test_root_does_not_run_it(folder: Path) -> None:
    server = valkey.start(folder)
    assert Path(f"/proc/{server.pid}").stat().st_uid == 65534


@as_root
def test_below_a_closed_folder_program_and_data_lie_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy2(valkey_binary(), closed / "valkey-server")
    monkeypatch.setenv("VALKEY_SERVER", str(closed / "valkey-server"))
    monkeypatch.setattr("authapi.local.account._shelter", lambda *, lasting: folder)
    first = valkey.start(closed / "vk")
    client(first).set("kept", "7")
    first.stop()
    second = valkey.start(closed / "vk")
    assert client(second).get("kept") == "7"
    assert not second.data.is_relative_to(closed)
