"""`authapi serve`."""

import json
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Call, Launch, Running, await_
from tests.support.people import PREFIX
from tests.support.processes import free_port

BODY = json.dumps({"email": "ada@example.com", "password": "correct horse battery staple"}).encode()


def ready(running: Running, url: str) -> bool:
    assert running.process.poll() is None, running.said()
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_and_the_end_is_clean(
    launch: Launch, environment: dict[str, str], number: signal.Signals
) -> None:
    port = free_port()
    running = launch("serve", "--port", str(port), environment=environment)
    await_(lambda: ready(running, f"http://127.0.0.1:{port}"))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        head = f"POST {PREFIX}/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:10])
        _await_received(client)
        running.process.send_signal(number)
        await_(lambda: _refuses(port))
        client.sendall(BODY[10:])
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 401")
    assert running.process.wait(20) == 0, running.said()


def test_several_processes_share_a_port_and_their_metrics(
    launch: Launch, environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "tmp").mkdir()
    running = launch(
        "serve", "--workers", "2", "--port", str(port), environment=environment | {"TMPDIR": str(tmp_path / "tmp")}
    )
    await_(lambda: ready(running, url))
    running.await_words("Application startup complete", 2)
    for _ in range(20):
        assert httpx.get(f"{url}/health/ready").status_code == 200
    counted = re.search(r"http_requests_total\{[^}]*/health/ready[^}]*\} (\d+)", httpx.get(f"{url}/metrics").text)
    assert counted is not None
    assert int(counted[1]) >= 20
    assert [path.name.partition("-m")[0] for path in (tmp_path / "tmp").iterdir()] == ["authapi"]
    assert running.end() == 0, running.said()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_several_processes_take_their_leave_before_they_end(launch: Launch, environment: dict[str, str]) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    running = launch("serve", "--workers", "2", "--port", str(port), environment=environment)
    await_(lambda: ready(running, url))
    with httpx.Client(base_url=url) as early:
        assert early.get("/health/live").headers.get("connection") is None
        running.process.send_signal(signal.SIGTERM)
        await_(lambda: early.get("/health/live").headers.get("connection") == "close")
    assert running.process.wait(20) == 0, running.said()


@pytest.mark.parametrize(("url", "are_plain"), [("http://localhost:8000", True), ("https://auth.example.com", False)])
def test_the_start_says_when_cookies_are_not_secure(
    launch: Launch, environment: dict[str, str], url: str, are_plain: bool
) -> None:
    port = free_port()
    running = launch("serve", "--port", str(port), environment=environment | {"AUTHAPI_PUBLIC_URL": url})
    await_(lambda: ready(running, f"http://127.0.0.1:{port}"))
    assert ("cookies go without Secure" in running.said()) == are_plain
    assert running.end() == 0


def test_settings_that_are_missing_are_listed(call_alone: Call, outside: dict[str, str]) -> None:
    run = call_alone("serve", environment=outside)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines()[1:] == [
        f"  - AUTHAPI_{name}: is not set" for name in ("DATABASE_URL", "REDIS_URL", "SECRET")
    ]


def test_a_port_that_is_taken_is_told_in_a_sentence(call_alone: Call, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = call_alone("serve", "--port", str(taken.getsockname()[1]), environment=environment)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "--port" in run.stderr


def test_a_database_that_is_not_migrated_is_told_in_a_sentence(
    call_alone: Call, environment: dict[str, str], empty_database: str
) -> None:
    run = call_alone("serve", environment=environment | {"AUTHAPI_DATABASE_URL": empty_database})
    assert (run.returncode, run.stderr) == (1, "The database is not migrated: run `authapi migrate up`.\n")


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def _await_received(client: socket.socket) -> None:
    """Until the server has read what was sent: a further connection is answered only after that."""
    with socket.create_connection(client.getpeername(), timeout=20) as later:
        later.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while later.recv(65536):
            pass
