"""What stands around the body of a request, and is no part of it."""

import json
from typing import Any

import pytest

from tests.support.hostile.impatient import Impatient, build, connected, serving

CHUNKED = b"POST /thing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"X: y\r\n" * 200_000, b"0\r\nX: " + b"y" * 1_200_000, b"1;x=" + b"y" * 1_200_000],
    ids=["trailers", "a trailer", "an extension of a chunk"],
)
async def test_no_end_of_it_is_waited_for(endless: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Impatient, "BODY", 30.0)
    async with serving(build()) as server, connected(server) as wire:
        await wire.send(CHUNKED)
        wire.writer.write(endless)
        assert (await wire.answer())[0] == 400
        assert await wire.is_closed()


async def test_the_smallest_chunks_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Impatient, "BODY", 30.0)
    async with serving(build()) as server, connected(server) as wire:
        await wire.send(CHUNKED)
        await wire.send(b"1\r\n \r\n" * 65_535 + b"1\r\n1\r\n0\r\nX: y\r\n\r\n")
        assert (await wire.answer())[::2] == (200, 65_536)


async def test_a_trailer_is_no_header() -> None:
    """A proxy that says who the client is may let through whatever comes after the body (RFC 9110 §6.5.1)."""

    async def tell(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        body = json.dumps([name.decode() for name, _ in scope["headers"]]).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serving(tell) as server, connected(server) as wire:
        await wire.send(CHUNKED + b"1\r\n1\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        told = (await wire.answer())[2]
    assert told == ["host", "content-type", "transfer-encoding"]
