"""The way to the mail server: encrypted and verified, or not taken."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from authapi.core.mail import NotSent, Smtp
from tests.support.smtp import MailServer, Security

ELSEWHERE = "127.0.0.2"
"""On the loopback, too, but not one of the names that may be spoken to without TLS."""


@pytest.fixture
def letter() -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "hello@example.com", "ada@example.com", "Hello"
    letter.set_content("Hello")
    return letter


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    security: Security
    security, host = request.param
    server = MailServer(tmp_path, security=security, host=host)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    yield server
    server.stop()


def way(server: MailServer, *, requires_tls: bool = True) -> Smtp:
    return Smtp(SecretStr(server.url), name="auth.example.com", requires_tls=requires_tls)


@pytest.mark.parametrize("server", [("starttls", "127.0.0.1"), ("implicit", "127.0.0.1")], indirect=True)
async def test_what_is_sent_is_encrypted(server: MailServer, letter: EmailMessage) -> None:
    smtp = way(server)
    await smtp.send(letter, to="ada@example.com")
    assert smtp.is_encrypted
    await smtp.close()
    assert len(server.received) == len(server.logins) == 1


@pytest.mark.parametrize("server", [("none", ELSEWHERE)], indirect=True)
async def test_without_encryption_neither_password_nor_mail_leave_in_production(
    server: MailServer, letter: EmailMessage
) -> None:
    smtp = way(server)
    with pytest.raises(NotSent, match="STARTTLS"):
        await smtp.send(letter, to="ada@example.com")
    await smtp.close()
    assert (server.received, server.logins) == ([], [])


@pytest.mark.parametrize("server", [("none", "127.0.0.1")], indirect=True)
async def test_on_the_same_machine_it_may_be_plain(server: MailServer, letter: EmailMessage) -> None:
    smtp = way(server)
    await smtp.send(letter, to="ada@example.com")
    assert not smtp.is_encrypted
    await smtp.close()
    assert len(server.received) == 1


@pytest.mark.parametrize("server", [("starttls", "127.0.0.1"), ("implicit", "127.0.0.1")], indirect=True)
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: MailServer, letter: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    smtp = way(server, requires_tls=False)
    with pytest.raises(NotSent):
        await smtp.send(letter, to="ada@example.com")
    await smtp.close()
    assert (server.received, server.logins) == ([], [])
