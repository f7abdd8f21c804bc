"""Instances of the service that need no server: for what is decided without one."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from pydantic import SecretStr

from authapi.core.context import Context, build
from authapi.core.secrets import SystemRandom
from tests.conftest import SECRET, make_settings

NOWHERE = "127.0.0.1:1"
NEWER = SecretStr("a newer root secret for the models, 9876543210")


class SeededRandom(SystemRandom):
    """Chance that is the same in every run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)


@asynccontextmanager
async def open_instances(window: float) -> AsyncIterator[Sequence[Context]]:
    """Two that share nothing but a change of the root secret, which the second has made and the first has heard of."""
    settings = make_settings(f"postgresql://authapi@{NOWHERE}/authapi", f"redis://{NOWHERE}/0")
    first, newer = SecretStr(SECRET), NEWER
    roots = ((first, newer), (newer, first))
    async with AsyncExitStack() as stack:
        contexts: list[Context] = []
        for secret, other in roots:
            changes: dict[str, object] = {"refresh_reuse_window": window, "secret": secret, "earlier_secrets": (other,)}
            ctx = build(settings.model_copy(update=changes), random=SeededRandom(len(contexts)))
            stack.push_async_callback(ctx.close)
            contexts.append(ctx)
        yield contexts
