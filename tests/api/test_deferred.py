"""What a request has put off: done by the worker, for the client that asked, and nothing of it can be read before."""

import logging

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from authapi.core import deferred
from authapi.core.context import Context
from authapi.core.deferred import Asked
from authapi.core.http import Client
from tests.conftest import Start

CLIENT = Client("203.0.113.7", "Firefox", "a request", "de-AT")
ASKED: Asked = {"email_key": "ada@example.com", "first_name": None}


async def put_off(ctx: Context) -> bytes:
    async with ctx.db.begin() as tx:
        await deferred.put_off(ctx, tx, "planet.turn", CLIENT, ASKED)
    async with ctx.db() as tx:
        rows = (await tx.execute(text("SELECT entrypoint, payload FROM jobs.pgqueuer"))).all()
    assert [row.entrypoint for row in rows] == ["planet.turn"]
    return bytes(rows[0].payload)


async def done_with(ctx: Context, payload: bytes, entrypoint: str = "planet.turn") -> list[tuple[Client, Asked]]:
    done: list[tuple[Client, Asked]] = []

    async def do(_: Context, client: Client, asked: Asked) -> None:
        done.append((client, asked))

    await deferred.taken_up(entrypoint, do)(ctx, payload, 1)
    return done


async def test_what_was_asked_and_by_whom_reaches_the_job(ctx: Context) -> None:
    assert await done_with(ctx, await put_off(ctx)) == [(CLIENT, ASKED)]


async def test_nothing_of_it_can_be_read_in_the_queue(ctx: Context) -> None:
    payload = await put_off(ctx)
    assert not [each for each in (b"ada", b"example", b"Firefox", b"203.0") if each in payload]


async def test_a_transaction_that_is_rolled_back_puts_nothing_off(ctx: Context) -> None:
    async with ctx.db() as tx:
        await deferred.put_off(ctx, tx, "planet.turn", CLIENT, ASKED)
        await tx.rollback()
    async with ctx.db() as tx:
        assert (await tx.scalars(text("SELECT id FROM jobs.pgqueuer"))).all() == []


async def test_one_job_does_not_take_what_is_anothers(ctx: Context, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert await done_with(ctx, await put_off(ctx), "moon.turn") == []
    assert "is dropped" in caplog.text


async def test_what_an_earlier_root_has_sealed_is_done(start: Start) -> None:
    old, _ = await start()
    payload = await put_off(old)
    root = SecretStr("another root secret, 0123456789 0123456789")
    rotated, _ = await start(secret=root, earlier_secrets=(old.settings.secret,))
    assert await done_with(rotated, payload) == [(CLIENT, ASKED)]
