"""The inbox of development: every message that was sent, for whoever tries the flows without a mail server."""

from email.message import EmailMessage
from importlib.resources import files
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from authapi.core.http import InContext
from authapi.core.mail import Inbox
from authapi.core.problems import NotFound
from authapi.core.redis import RedisDown

router = APIRouter(prefix="/dev/inbox", include_in_schema=False)

CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {"inbox.js": "text/javascript", "inbox.css": "text/css"}


class LetterOut(BaseModel):
    id: UUID
    to: str
    subject: str
    at: str
    text: str
    html: str


@router.get("")
async def page() -> HTMLResponse:
    """Messages are shown in frames without scripts; their own styles need `unsafe-inline`."""
    return HTMLResponse(_asset("inbox.html"), headers={"Content-Security-Policy": CONTENT})


@router.get("/messages")
async def messages(ctx: InContext, to: str | None = None) -> list[LetterOut]:
    """The newest come first. Empty while Redis is away, or where mail goes to a real server."""
    try:
        letters = [letter_out(message) for message in await Inbox(ctx.redis).messages()]
    except RedisDown:
        return []
    return [letter for letter in letters if to is None or letter.to.lower() == to.lower()]


@router.get("/messages/{id}")
async def message(ctx: InContext, id: UUID) -> LetterOut:
    for letter in await messages(ctx):
        if letter.id == id:
            return letter
    raise NotFound()


@router.get("/{name}")
async def asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound()
    return Response(_asset(name), media_type=ASSETS[name])


def letter_out(message: EmailMessage) -> LetterOut:
    return LetterOut(
        id=UUID(str(message["Message-ID"]).strip("<>").partition("@")[0]),
        to=str(message["To"]),
        subject=str(message["Subject"]),
        at=message["Date"].datetime.isoformat(),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n") if isinstance(body, EmailMessage) else ""


def _asset(name: str) -> bytes:
    return files("authapi.outbox").joinpath("inbox", name).read_bytes()
