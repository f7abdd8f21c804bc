"""The time limit around what every request goes through."""

import asyncio

import pytest

from authapi.core.timer import Within


async def test_what_takes_too_long_is_interrupted() -> None:
    timer = Within(0.01)
    with pytest.raises(TimeoutError), timer:
        await asyncio.sleep(5)
    assert timer.is_over


async def test_what_is_done_in_time_is_left_alone() -> None:
    with Within(5) as timer:
        await asyncio.sleep(0)
    assert not timer.is_over


async def test_the_limit_ends_with_the_block() -> None:
    with Within(0.01):
        pass
    await asyncio.sleep(0.03)


async def test_a_limit_further_inside_is_told_apart() -> None:
    outer = Within(5)
    with pytest.raises(TimeoutError), outer, Within(0.01):
        await asyncio.sleep(5)
    assert not outer.is_over


async def test_who_cancels_meanwhile_is_obeyed() -> None:
    async def slow() -> None:
        with Within(0.01):
            asyncio.current_task().cancel()  # type: ignore[union-attr]  # it runs as a task
            await asyncio.sleep(5)

    task = asyncio.create_task(slow())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), Within(5):
        raise ZeroDivisionError
