"""`authapi dev` from start to end, with real processes."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dev.conftest import PATIENCE, Dev, running, until
from tests.support.servers import make_database

Start = Callable[..., Dev]

BOB = {"email": "bob@example.com", "password": "analytical engine of 1843"}
SHELLS = [shell for shell in ("sh", "bash", "zsh") if shutil.which(shell)]


def pasted(shell: str, lines: list[str]) -> list[str]:
    """The HTTP codes of what was pasted."""
    ran = subprocess.run([shell], input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ran.stderr == ""
    return re.findall(r"^\d{3}$", ran.stdout, re.MULTILINE)


def test_it_serves_says_so_and_one_ctrl_c_ends_everything(dev: Start, folder: Path, port: int) -> None:
    it = dev(port).up()
    ready = it.get("/health/ready")
    assert (ready.status_code, ready.json()["mode"]) == (200, "ok")
    assert it.get("/docs").status_code == 200
    assert f"http://127.0.0.1:{port}/dev/inbox" in it.said
    assert it.get("/dev/inbox").status_code == 200
    for words in (f"127.0.0.1, port {port}", "development", "plain HTTP", "x1000", "Ctrl-C"):
        assert words in it.said
    secret = folder / ".authapi" / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() not in it.said
    until(lambda: running(folder, "worker"))
    assert it.end() == 0
    assert it.said.endswith("Stopped.\n")
    assert running(folder) == []


def test_what_was_stored_survives_a_restart(dev: Start, port: int) -> None:
    first = dev(port).up()
    tokens = first.post("/signup", BOB).json()
    assert first.end() == 0
    second = dev(port).up()
    assert second.post("/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 200
    assert second.post("/login", BOB).status_code == 200


@pytest.mark.skipif(not shutil.which("curl"), reason="the lines need curl")
def test_the_five_lines_work_in_every_shell_and_again(dev: Start, port: int) -> None:
    lines = dev(port).up().lines
    assert len(lines) == 5
    assert pasted(SHELLS[0], lines) == ["201", "200", "200", "200", "204"]
    for shell in SHELLS:
        assert pasted(shell, lines) == ["409", "200", "200", "200", "204"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_to_end_do_the_same(dev: Start, folder: Path, port: int, number: signal.Signals) -> None:
    assert dev(port).up().end(number) == 0
    assert running(folder) == []


def test_ctrl_c_while_it_starts_and_again_while_it_stops(dev: Start, folder: Path, port: int) -> None:
    it = dev(port)
    until(lambda: running(folder))
    for _ in range(3):
        os.killpg(it.process.pid, signal.SIGINT)
    assert it.process.wait(PATIENCE) == 0
    assert running(folder) == []


def test_a_taken_port_is_named_in_one_sentence(dev: Start, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        it = dev(port)
        assert it.process.wait(PATIENCE) == 1
    assert it.said.count("\n") == 1
    assert f"Port {port}" in it.said
    assert "AUTHAPI_PORT=" in it.said
    assert running(folder) == []


def test_a_port_that_is_none_is_named_in_one_sentence(dev: Start, port: int) -> None:
    it = dev(port, AUTHAPI_PORT="http")
    assert it.process.wait(PATIENCE) == 1
    assert it.said == "AUTHAPI_PORT is http, which is no port: set it to a number from 1 to 65535.\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named_in_one_sentence(dev: Start, folder: Path, port: int) -> None:
    folder.chmod(0o555)
    it = dev(port)
    assert it.process.wait(PATIENCE) == 1
    folder.chmod(0o755)
    assert it.said.count("\n") == 1
    assert str(folder) in it.said


def test_killed_without_mercy_it_takes_its_children_along_and_starts_again(dev: Start, folder: Path, port: int) -> None:
    first = dev(port).up()
    assert first.post("/signup", BOB).status_code == 201
    first.end(signal.SIGKILL)
    second = dev(port).up()
    assert second.post("/login", BOB).status_code == 200
    assert len(running(folder, "attended serve".replace(" ", "\0"))) == 1
    assert second.end() == 0
    assert running(folder) == []


def test_two_share_the_servers_and_the_last_one_stops_them(
    dev: Start, folder: Path, port: int, another_port: int
) -> None:
    first, second = dev(port), dev(another_port)
    assert first.up().post("/signup", BOB).status_code == 201
    assert second.up().post("/login", BOB).status_code == 200
    assert first.end() == 0
    assert second.post("/login", BOB).status_code == 200
    assert second.end() == 0
    assert running(folder) == []


def test_a_child_that_ends_by_itself_is_named_and_ends_all(dev: Start, folder: Path, port: int) -> None:
    it = dev(port).up()
    for pid in running(folder, "serve"):
        os.kill(pid, signal.SIGKILL)
    assert it.process.wait(PATIENCE) == 1
    assert "The API has ended by itself (code -9)" in it.said
    assert running(folder) == []


def test_it_uses_the_servers_that_it_is_told_of(
    dev: Start, folder: Path, port: int, worker: int, postgres_url: str, redis_url: str
) -> None:
    server, database = postgres_url.rsplit("/", 1)[0], f"tests_dev_{worker}"
    make_database(f"{server}/postgres", database)
    it = dev(port, AUTHAPI_DATABASE_URL=f"{server}/{database}", AUTHAPI_REDIS_URL=redis_url).up()
    assert it.get("/health/ready").json()["mode"] == "ok"
    assert sorted(path.name for path in (folder / ".authapi").iterdir()) == ["secret", "users.lock"]
    assert it.end() == 0


def test_a_database_that_does_not_answer_is_one_sentence(dev: Start, folder: Path, port: int) -> None:
    it = dev(port, AUTHAPI_DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert it.process.wait(PATIENCE) == 1
    assert it.said.startswith("Postgres cannot be reached")
    assert "Traceback" not in it.said
    assert running(folder) == []
