"""What people find in their mail: sent by the real outbox through the real sender to a real server."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select

from authapi.core import db
from authapi.core.context import Context
from authapi.outbox import delivery
from authapi.outbox.models import StoredMessage
from tests.support import errands
from tests.support.smtp import MailServer

LINK = re.compile(r"https?://\S+")
CODE = re.compile(r"^\d{6}$", re.MULTILINE)


@dataclass(frozen=True)
class Letter:
    """As it was received."""

    message: EmailMessage

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def link(self) -> str:
        found = LINK.search(self.text)
        assert found is not None, self.text
        return found[0]

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.link).fragment)["token"][0]

    @property
    def code(self) -> str:
        found = CODE.search(self.text)
        assert found is not None, self.text
        return found[0]

    def _body(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert isinstance(body, EmailMessage)
        return str(body.get_content()).replace("\r\n", "\n")


async def deliver_due(ctx: Context) -> int:
    """By the clock that tests move, which the queue does not follow."""
    async with ctx.db.begin() as tx:
        is_due = StoredMessage.state.in_(("queued", "sending")), StoredMessage.due_at <= db.now(ctx.clock)
        due = (await tx.scalars(select(StoredMessage.id).where(*is_due).order_by(StoredMessage.id))).all()
    for id in due:
        await delivery.deliver(ctx, id.bytes)
    return len(due)


class Inbox:
    """Asking for letters first sends what is due, as the worker would."""

    def __init__(self, ctx: Context, server: MailServer) -> None:
        self._ctx = ctx
        self._server = server

    async def deliver(self) -> int:
        """One try for each message that is due, after what requests have put off. Returns how many there were."""
        await errands.run(self._ctx)
        return await deliver_due(self._ctx)

    async def all(self, to: str | None = None) -> list[Letter]:
        """Oldest first."""
        await self.deliver()
        letters = [Letter(message) for message in self._server.received]
        return [letter for letter in letters if to is None or letter.to == to]

    async def last(self, to: str | None = None) -> Letter:
        letters = await self.all(to)
        assert letters, f"no mail for {to or 'anybody'}"
        return letters[-1]
