"""A real mail server: STARTTLS with a certificate of its own, a login, and moods to fail in."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.processes import free_port

USER, PASSWORD = "authapi", "the password of the mail server"
GOOD = "250 OK"

Security: TypeAlias = Literal["starttls", "implicit", "none"]
Reply = Callable[[str], str]


def _good(_recipient: str) -> str:
    return GOOD


class MailServer:
    """`reply` may refuse recipients. Unless it is `free`, whoever names one has to wait, which `holds` tells.
    `connections` are those that it has had since the start."""

    def __init__(self, folder: Path, *, security: Security = "starttls", host: str = "127.0.0.1") -> None:
        self._security, self._host = security, host
        self.certificate, key = make_certificate(folder)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(self.certificate, key)
        self._controller: Controller | None = None
        self._transports: list[asyncio.Transport] = []
        self.port = free_port()
        self.received: list[EmailMessage] = []
        self.logins: list[bytes] = []
        self.envelopes: list[Envelope] = []
        self.connections = 0
        self.reply: Reply = _good
        self.answer_to_data = GOOD
        self.free, self.holds = threading.Event(), threading.Event()
        self.free.set()
        self.start()

    @property
    def url(self) -> str:
        scheme = "smtps" if self._security == "implicit" else "smtp"
        return f"{scheme}://{USER}:{PASSWORD.replace(' ', '%20')}@{self._host}:{self.port}"

    @property
    def is_up(self) -> bool:
        return self._controller is not None

    def start(self) -> None:
        if self._controller is None:
            self._controller = Controller(
                self,
                hostname=self._host,
                port=self.port,
                tls_context=self._tls if self._security == "starttls" else None,
                ssl_context=self._tls if self._security == "implicit" else None,
                require_starttls=self._security == "starttls",
                auth_required=self._security == "starttls",
                auth_require_tls=self._security == "starttls",
                authenticator=self._authenticate,
                enable_SMTPUTF8=True,
            )
            self._controller.start()

    def stop(self) -> None:
        """With its connections, which aiosmtpd would leave open."""
        if self._controller is not None:
            for transport in self._transports:
                self._controller.loop.call_soon_threadsafe(transport.abort)
            self._transports.clear()
            self._controller.stop()
            self._controller = None

    def calm(self) -> None:
        """As new."""
        self.start()
        self.received.clear()
        self.envelopes.clear()
        self.reply, self.answer_to_data = _good, GOOD
        self.holds.clear()
        self.free.set()

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)

    # What aiosmtpd asks its handler; the names are its own.

    async def handle_EHLO(
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, answers: list[str]
    ) -> list[str]:
        self.connections += session.ssl is None
        assert isinstance(server.transport, asyncio.Transport)
        self._transports.append(server.transport)
        session.host_name = hostname
        return answers

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.free.is_set():
            self.holds.set()
            await asyncio.to_thread(self.free.wait)
        answer = self.reply(address)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.answer_to_data == GOOD:
            self.envelopes.append(envelope)
            self.received.append(message_from_bytes(_bytes(envelope), policy=policy.default))
        return self.answer_to_data


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    number = x509.random_serial_number()  # in the name, too: of two of one name the wrong one might be looked at
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authapi tests {number % 10**6}")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return paths


def _bytes(envelope: Envelope) -> bytes:
    assert isinstance(envelope.content, bytes)
    return envelope.content
