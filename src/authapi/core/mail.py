"""The way out for mail: SMTP over one connection that is kept, or in development an inbox in Redis."""

import asyncio
import time
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from pydantic import SecretStr

from authapi.core.redis import NAMESPACE, GuardedRedis, RedisDown
from authapi.core.settings import Settings

ANSWER_TIMEOUT = 20.0
SENDING_TIMEOUT = 60.0
LONGEST_IDLE = 30.0
"""Seconds after which a connection is not used again: servers close them, some without saying so."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
INBOX, INBOX_SIZE = f"{NAMESPACE}:inbox", 500


class NotSent(Exception):
    """The message is not on its way. `reason` names the kind of failure, without what a server said about a person."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Mail(Protocol):
    """`turn` is taken around each message, so that one after the other is sent."""

    turn: asyncio.Lock

    async def send(self, message: EmailMessage, *, to: str) -> None:
        """`to` is the address of the envelope. Raises NotSent."""

    async def close(self) -> None: ...


def build(settings: Settings, redis: GuardedRedis) -> Mail:
    """Nothing connects before it is needed."""
    if settings.smtp_url is None:
        return Inbox(redis)
    name = urlsplit(settings.public_url).hostname or "localhost"
    return Smtp(settings.smtp_url, name=name, requires_tls=settings.env == "production")


class Smtp:
    """TLS is verified; a private authority is named by SSL_CERT_FILE. `name` is how this end introduces itself."""

    def __init__(self, url: SecretStr, *, name: str, requires_tls: bool) -> None:
        parts = urlsplit(url.get_secret_value())
        is_implicit = parts.scheme == "smtps"
        must_upgrade = requires_tls and parts.hostname not in LOOPBACK
        self._client = aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port or (465 if is_implicit else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password or "") if parts.username else None,
            use_tls=is_implicit,
            start_tls=False if is_implicit else must_upgrade or None,  # None: when the server offers it
            timeout=ANSWER_TIMEOUT,
            local_hostname=name,
        )
        self.turn = asyncio.Lock()
        self._used_at = 0.0

    async def send(self, message: EmailMessage, *, to: str) -> None:
        try:
            async with asyncio.timeout(SENDING_TIMEOUT):
                await self._connect()
                await self._client.send_message(message, recipients=[to])
        except aiosmtplib.SMTPException as error:
            if _answer(error) is None:
                self._client.close()
            raise NotSent(_reason(error), is_final=_is_final(error)) from None
        except (OSError, TimeoutError) as error:
            self._client.close()
            raise NotSent(_reason(error)) from None
        except BaseException:  # cancelled in the middle: nobody knows what the server would answer next
            self._client.close()
            raise
        self._used_at = time.monotonic()

    async def check(self) -> None:
        """Connects and logs in, and sends nothing. Raises NotSent."""
        try:
            await self._connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotSent(_reason(error)) from None

    @property
    def is_encrypted(self) -> bool:
        """Of the connection that there is."""
        return self._client.get_transport_info("sslcontext") is not None

    async def _connect(self) -> None:
        """Uses the connection again when it is fresh and the server still answers on it."""
        if self._client.is_connected and time.monotonic() - self._used_at < LONGEST_IDLE:
            with suppress(aiosmtplib.SMTPException):
                await self._client.rset()
                return
        self._client.close()
        await self._client.connect()

    async def close(self) -> None:
        if self._client.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await self._client.quit(timeout=1)
        self._client.close()


def _answer(error: BaseException) -> aiosmtplib.SMTPResponseException | None:
    """What the server said, to this recipient if not to all."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0]
    return error if isinstance(error, aiosmtplib.SMTPResponseException) else None


def _reason(error: BaseException) -> str:
    """What a server says may name the person; what aiosmtplib says of its own accord does not."""
    if answer := _answer(error):
        return f"{type(answer).__name__} {answer.code}"
    said = f": {error.message}" if isinstance(error, aiosmtplib.SMTPException) else ""
    return f"{type(error).__name__}{said}"


def _is_final(error: aiosmtplib.SMTPException) -> bool:
    """The server will never take this message, or nothing for this address (RFC 5321 §4.2.1). A refusal of the login or
    of the sender is about the settings, which somebody may correct in time."""
    answer = _answer(error)
    about_this = isinstance(answer, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
    return answer is not None and about_this and answer.code >= 500


class Inbox:
    """What would have been sent, in the clear: only for development. The newest come first."""

    def __init__(self, redis: GuardedRedis) -> None:
        self.turn = asyncio.Lock()
        self._redis = redis

    async def send(self, message: EmailMessage, *, to: str) -> None:
        try:
            await self._redis.ask(lambda redis: redis.lpush(INBOX, message.as_bytes(policy=policy.SMTPUTF8)))
            await self._redis.ask(lambda redis: redis.ltrim(INBOX, 0, INBOX_SIZE - 1))
        except RedisDown as error:
            raise NotSent(type(error).__name__) from None

    async def messages(self) -> list[EmailMessage]:
        """Raises RedisDown."""
        found = await self._redis.ask(lambda redis: redis.lrange(INBOX, 0, -1))
        return [message_from_bytes(raw, policy=policy.SMTPUTF8) for raw in found if isinstance(raw, bytes)]

    async def close(self) -> None:
        """The connection is the context's."""
