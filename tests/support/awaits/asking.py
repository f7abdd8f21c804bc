"""One request to the application itself, whose body and whose reader are waited for like everything else."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

from tests.support.awaits.interrupting import How, Interrupted
from tests.support.calls import Call


@dataclass
class Answer:
    """`status` is None where none was sent, `is_whole` whether the end of the body was."""

    status: int | None = None
    body: bytes = b""
    is_whole: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether whoever asked may believe that it was done."""
        return self.is_whole and self.status is not None and self.status < 300

    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


async def ask(
    app: ASGIApp, call: Call, *, at: int = 0, how: How = How.INSTEAD, headers: dict[str, str] | None = None
) -> tuple[Answer, Interrupted]:
    """The answer, as far as it was sent before the request was at an end or broke off."""
    body, answer = json.dumps(call.body).encode() if call.body else b"", Answer()

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            answer.status = message["status"]
        else:
            answer.body += message.get("body", b"")
            answer.is_whole = not message.get("more_body", False)

    interrupted = Interrupted(_coroutine(app, _scope(call, len(body), headers or {}), receive, send), at, how)
    await asyncio.wait([task := asyncio.create_task(_awaited(interrupted))])
    if not task.cancelled() and (error := task.exception()) is not None and not interrupted.was_hit:
        raise error
    return answer, interrupted


async def _coroutine(app: ASGIApp, scope: dict[str, Any], receive: Any, send: Any) -> None:
    await app(scope, receive, send)


async def _awaited(interrupted: Interrupted) -> None:
    await interrupted


def _scope(call: Call, length: int, headers: dict[str, str]) -> dict[str, Any]:
    sent = {"host": "test", "content-type": "application/json", "content-length": str(length), **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 40_000),
        "server": ("test", 80),
    }
