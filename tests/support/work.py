"""What one request costs: every statement and every hash, to show that two of them are the same work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from authapi.core.context import Context


@contextmanager
def work(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    done: list[str] = []
    engine = ctx.db.kw["bind"].sync_engine

    def stated(*arguments: Any) -> None:
        done.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", stated)
    with monkeypatch.context() as patch:
        for owner, name in ((type(ctx.hasher), "run"), (type(ctx.driver), "row")):
            patch.setattr(owner, name, _noting(getattr(owner, name), done))
        yield done
    event.remove(engine, "before_cursor_execute", stated)


def _noting(real: Any, done: list[str]) -> Any:
    async def noting(self: Any, what: Any, *rest: Any, **more: Any) -> Any:
        done.append(what if isinstance(what, str) else what.func.__name__)
        return await real(self, what, *rest, **more)

    return noting
