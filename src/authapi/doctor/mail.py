"""What the mail server and the outbox tell."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from authapi.core.context import Context
from authapi.core.mail import NotSent, Smtp
from authapi.doctor.findings import Finding, error, ok, warning
from authapi.outbox import store

SLOW = 300
DAY = timedelta(days=1)


async def probe(ctx: Context) -> list[Finding]:
    return [*await _server(ctx), *await _outbox(ctx)]


async def _server(ctx: Context) -> list[Finding]:
    if not isinstance(ctx.mail, Smtp):
        return [ok("mail", "Goes to the inbox of development, /dev/inbox.")]
    try:
        await ctx.mail.check()
    except NotSent as failure:
        fix = "Correct AUTHAPI_SMTP_URL, or open the way to the server. Messages are tried again for a day."
        return [error("mail", f"The mail server cannot be used ({failure.reason}).", fix)]
    if ctx.mail.is_encrypted:
        return [ok("mail", "The mail server answers, encrypted, and takes the login.")]
    fix = "Use smtps://, or a server that offers STARTTLS, unless it is on this machine."
    return [warning("mail", "The mail server answers, but nothing on the way to it is encrypted.", fix)]


async def _outbox(ctx: Context) -> list[Finding]:
    """Nothing where the database is away or not migrated, which is told by its own findings."""
    try:
        async with ctx.db.begin() as tx:
            number, age = await store.waiting(tx, ctx.clock)
            outcomes = await store.outcomes(tx, ctx.clock, within=DAY)
    except (SQLAlchemyError, OSError, TimeoutError):
        return []
    return list(judge_outbox(number, age, failed=sum(count for _, state, count in outcomes if state == "failed")))


def judge_outbox(number: int, age: float, *, failed: int) -> Iterator[Finding]:
    if age > SLOW:
        message = f"{number} messages wait, the oldest for {age / 60:.0f} minutes."
        yield warning("mail", message, "Start `authapi worker`; `authapi mail list` shows what went wrong.")
    if failed:
        message = f"{failed} messages of the last day could not be delivered."
        yield warning("mail", message, "`authapi mail list --state failed` says why, `authapi mail retry` sends again.")
