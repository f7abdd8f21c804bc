"""Requests that are answered before anything is looked up, so that neither the answer nor its time can tell.

What is left to do is a job, sealed: no address and no hash rests in the queue in the clear.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import queue
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.core.secrets import Unsealable

PURPOSE = "deferred requests"

Asked: TypeAlias = dict[str, Any]
Deed: TypeAlias = Callable[[Context, Client, Asked], Awaitable[None]]

log = logging.getLogger(__name__)


async def put_off(ctx: Context, tx: AsyncSession, entrypoint: str, client: Client, asked: Asked) -> None:
    """A step: the worker does it, once the transaction is committed. `asked` must fit into JSON."""
    plain = json.dumps({"client": asdict(client), "asked": asked}).encode()
    await queue.enqueue(tx, entrypoint, ctx.vault.seal(PURPOSE, plain, bound_to=entrypoint.encode()))


def taken_up(entrypoint: str, do: Deed) -> Callable[[Context, bytes, int], Awaitable[None]]:
    """For `worker.QUEUES`: does what was put off, for the client that asked. It may be done twice, if a worker dies."""

    async def take(ctx: Context, payload: bytes, _: int) -> None:
        try:
            content = json.loads(ctx.vault.unseal(PURPOSE, payload, bound_to=entrypoint.encode()))
        except Unsealable:
            log.error("a deferred request was sealed with another secret and is dropped", extra={"job": entrypoint})
            return
        await do(ctx, Client(**content["client"]), content["asked"])

    return take
