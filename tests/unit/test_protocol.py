"""The protocol on a real server and raw sockets: what the clock and the size limits do to a connection."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from authapi.core.http import HUNG_UP
from tests.support.hostile import impatient
from tests.support.hostile.impatient import Impatient, Wire, build, connected, deaf, is_rid_of_all, serving

GET = b"GET /thing HTTP/1.1\r\nHost: x\r\n\r\n"
GET_LARGE = GET.replace(b"/thing", b"/large")
GET_STUCK = GET.replace(b"/thing", b"/large?size=%d" % impatient.STUCK)
POST = b"POST /thing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LAST = b"Connection: close\r\n\r\n"


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    async with serving(build()) as server:
        yield server


@pytest.fixture
async def wire(server: uvicorn.Server) -> AsyncIterator[Wire]:
    async with connected(server) as wire:
        yield wire


async def test_a_connection_that_says_nothing_is_closed(wire: Wire) -> None:
    assert await wire.is_closed()


async def test_empty_lines_do_not_count_as_something(wire: Wire) -> None:
    async def drip() -> None:
        with suppress(ConnectionError):
            while True:
                await wire.send(b"\r\n")
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await wire.is_closed()
    dripping.cancel()


async def test_slow_headers_are_answered_408_and_closed(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nHost: x\r\n")
    status, headers, body = await wire.answer()
    assert (status, body["code"], headers["connection"]) == (408, "request_timeout", "close")
    assert await wire.is_closed()


async def test_a_drip_of_headers_does_not_move_the_deadline(wire: Wire) -> None:
    async def drip() -> None:
        with suppress(ConnectionError):
            await wire.send(b"GET /thing HTTP/1.1\r\n")
            for n in range(1000):
                await wire.send(b"X-%d: 1\r\n" % n)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await wire.answer())[0] == 408
    dripping.cancel()


async def test_a_slow_body_is_cut(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 10\r\n\r\n{")
    assert await wire.is_closed()


@pytest.mark.parametrize("line", [b"X-Large: " + b"x" * 20_000, b"X: 1\r\n" * 3000])
async def test_huge_headers_are_refused_before_they_end(wire: Wire, line: bytes) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\n" + line)
    status, headers, body = await wire.answer()
    assert (status, body["code"]) == (431, "headers_too_large")
    assert headers["content-type"] == "application/problem+json"
    assert await wire.is_closed()


async def test_huge_headers_in_pieces_are_refused_too(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nX-Large: ")
    for _ in range(20):
        await wire.send(b"x" * 1024)
        await asyncio.sleep(0)
    assert (await wire.answer())[0] == 431


async def test_huge_headers_that_end_are_refused_by_the_app(wire: Wire) -> None:
    await wire.send(b"GET /thing HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 20_000 + b"\r\n\r\n")
    assert (await wire.answer())[0] == 431


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /thing HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    ],
)
async def test_garbage_gets_a_problem_and_the_security_headers(wire: Wire, garbage: bytes) -> None:
    await wire.send(garbage)
    status, headers, body = await wire.answer()
    assert (status, body["code"], body["request_id"]) == (400, "malformed_request", headers["x-request-id"])
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert await wire.is_closed()


async def test_a_connection_is_reused_and_closed_when_idle(wire: Wire) -> None:
    for _ in range(3):
        assert (await (await wire.send(GET)).answer())[0] == 200
        await asyncio.sleep(0.08)
    await wire.send(POST + b"Content-Length: 2\r\n\r\n{}")
    assert (await wire.answer())[2] == 2
    assert await wire.is_closed()


async def test_the_clock_of_the_next_request_starts_with_its_first_byte(wire: Wire) -> None:
    await (await wire.send(GET)).answer()
    await asyncio.sleep(0.1)
    await wire.send(GET[:20])
    await asyncio.sleep(0.1)
    await wire.send(GET[20:])
    assert (await wire.answer())[0] == 200
    await wire.send(GET[:20])
    assert (await wire.answer())[0] == 408


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.05") + GET + POST + b"Content-Length: 2\r\n\r\n{}")
    assert [(await wire.answer())[2] for _ in range(3)] == [{"waited": 0.05}, {"waited": 0.0}, 2]
    assert await wire.is_closed()


@pytest.mark.parametrize("more", [0, 1, 1000])
async def test_few_requests_may_wait_for_an_answer(server: uvicorn.Server, wire: Wire, more: int) -> None:
    """Those that came before too many are answered, the last with the end of the connection."""
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.05") + GET * (Impatient.PIPELINED + more))
    answers = [await wire.answer() for _ in range(Impatient.PIPELINED + 1)]
    assert {status for status, _, _ in answers} == {200}
    assert [headers.get("connection") for _, headers, _ in answers[-2:]] == [None, "close" if more else None]
    if not more:
        assert (await (await wire.send(GET)).answer())[0] == 200
    assert await wire.is_closed()
    assert server.config.loaded_app.state.asked == Impatient.PIPELINED + 1 + (not more)


async def test_a_flood_of_requests_does_not_pile_up(server: uvicorn.Server, wire: Wire) -> None:
    with suppress(ConnectionError):
        await wire.send(GET * 60_000)
    assert await is_rid_of_all(server)
    assert server.config.loaded_app.state.asked == Impatient.PIPELINED + 1


async def test_who_left_is_known_to_the_request_that_runs_while_others_wait() -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        while scope["path"] == "/large" and not scope["extensions"][HUNG_UP]():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(app) as server:
        async with connected(server) as wire:
            await wire.send(GET + GET_LARGE + GET)
        assert await is_rid_of_all(server)
    assert asked == ["/thing", "/large"]


async def test_a_long_handler_is_not_mistaken_for_a_slow_client(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.2"))
    assert (await wire.answer())[0] == 200


async def test_garbage_behind_a_request_does_not_tear_its_answer(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.02") + b"\x16\x03garbage\r\n\r\n")
    status, headers, body = await wire.answer()
    assert (status, headers["connection"], body) == (200, "close", {"waited": 0.02})
    assert await wire.is_closed()


async def test_half_a_request_behind_a_slow_one_does_not_tear_its_answer(wire: Wire) -> None:
    await wire.send(GET.replace(b"/thing", b"/thing?wait=0.2") + GET[:20])
    assert (await wire.answer())[0] == 200
    assert (await wire.answer())[0] == 408


async def test_the_rest_of_a_refused_body_is_read_and_the_connection_lives_on(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert (await wire.answer())[2]["code"] == "body_too_large"
    assert (await (await wire.send(GET)).answer())[0] == 200


async def test_but_not_without_end(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 90000000\r\n\r\n")
    assert (await wire.answer())[0] == 413
    with suppress(ConnectionError):
        async with asyncio.timeout(impatient.WAIT):
            for _ in range(1000):
                await wire.send(b"x" * 65_536)
            pytest.fail("all of it was read")


async def test_an_idle_connection_is_closed_after_a_refused_body_too(wire: Wire) -> None:
    await wire.send(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000)
    assert (await wire.answer())[0] == 413
    await wire.send(b"x" * 50_000)
    assert await wire.is_closed()


async def test_a_refusal_instead_of_100_continue_closes(wire: Wire) -> None:
    await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
    assert (await wire.answer())[0] == 413
    assert await wire.is_closed()


async def test_100_continue_works(wire: Wire) -> None:
    await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (await wire.answer())[0] == 100
    assert (await (await wire.send(b"{}")).answer())[2] == 2
    assert (await (await wire.send(GET)).answer())[0] == 200


async def test_an_upgrade_is_ignored_and_what_follows_is_no_request(wire: Wire) -> None:
    await wire.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET)
    status, headers, _ = await wire.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert await wire.is_closed()


async def test_the_body_of_an_upgrade_is_never_taken_for_a_request(wire: Wire) -> None:
    await wire.send(POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(GET))
    await wire.send(GET)
    assert (await wire.answer())[0] == 400
    assert await wire.is_closed()


@pytest.mark.parametrize(
    "requests",
    [GET_LARGE * 3, GET_STUCK[:-2] + LAST, GET_STUCK, GET_LARGE + b"\x16\x03garbage"],
    ids=["the next answer waits", "the last answer waits", "it is idle", "it is refused"],
)
async def test_who_reads_nothing_is_cut(
    server: uvicorn.Server, requests: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with deaf(server, requests):
        await asyncio.sleep(0.1)
        assert len(server.server_state.connections) == 1
        assert await is_rid_of_all(server)
    assert faults(caplog) == []


async def test_who_reads_slowly_gets_all_of_it(server: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()
    begun, received = loop.time(), 0
    async with deaf(server, GET_LARGE * 2 + GET_LARGE[:-2] + LAST) as peer:
        while part := await loop.sock_recv(peer, impatient.LARGE // 16):
            received += len(part)
            await asyncio.sleep(0.01)
    assert received > 3 * impatient.LARGE
    assert loop.time() - begun > 3 * Impatient.UNREAD


async def test_an_answer_that_is_given_up_is_not_followed_by_another(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task ends with it, although the connection is still to be flushed."""
    monkeypatch.setattr(Impatient, "UNREAD", 60.0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x" * impatient.LARGE})

    async with serving(app) as server, deaf(server, GET * 3):
        async with asyncio.timeout(impatient.WAIT):
            while server.server_state.total_requests < 1 or server.server_state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert len(server.server_state.connections) == 1
    assert faults(caplog) == []


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
