"""From a message to what somebody reads: subject, text and HTML, from one text a language.

A template is plain text: a line with the subject, an empty one, and paragraphs. The HTML is made of those by
`page.html`, where a link below its words becomes a button; an operator may also write the HTML of one message, as
`de/new_device.html`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parseaddr
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from email_validator import validate_email
from jinja2 import FileSystemLoader, StrictUndefined, Template, pass_context
from jinja2.runtime import Context as Rendering
from jinja2.sandbox import ImmutableSandboxedEnvironment

from authapi.core.settings import Settings
from authapi.outbox import contents
from authapi.outbox.languages import BUILT_IN, FALLBACK
from authapi.outbox.messages import Message

PAGES = {
    "verify_address": "/verify",
    "reset_password": "/reset",
    "confirm_address": "/confirm-address",
    "address_changing": "/stop-address-change",
}
"""Where a link leads. The token follows as a fragment, which a browser keeps to itself, so that no log gets it."""

SUBJECT = "Subject:"


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, a link with the words on its button, or a code."""

    kind: Literal["text", "link", "code"]
    words: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    subject: str
    text: str
    html: str


def write(settings: Settings, message: Message, *, locale: str) -> Written:
    """Raises jinja2.TemplateError and ValueError for what is wrong with a template."""
    kind = contents.kind(message)
    values = _values(settings, kind, message) | {"locale": locale}
    subject, _, text = _template(settings, f"{kind}.txt", locale).render(values).strip().partition("\n")
    if not subject.startswith(SUBJECT):
        raise ValueError(f"{locale}/{kind}.txt does not begin with {SUBJECT}")
    subject = " ".join(subject.removeprefix(SUBJECT).split())
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    around = {"subject": subject, "parts": list(_parts(paragraphs, values))}
    html = _template(settings, f"{kind}.html", locale, "page.html").render(values | around)
    return Written(subject, "\n\n".join(paragraphs) + "\n", html)


def compose(settings: Settings, written: Written, *, to: str, locale: str, name: str, at: datetime) -> EmailMessage:
    """`name` becomes the Message-ID, the same at every try, so that a message that came twice is known as one."""
    letter = EmailMessage()
    letter["From"] = settings.sender
    letter["To"] = to
    letter["Subject"] = written.subject
    letter["Date"] = at
    letter["Message-ID"] = f"<{name}@{parseaddr(settings.sender)[1].rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday replies and lists keep silent
    letter["X-Auto-Response-Suppress"] = "All"
    letter["Content-Language"] = locale
    letter.set_content(written.text)
    letter.add_alternative(written.html, subtype="html")
    return letter


def on_the_wire(address: str) -> str:
    """With the domain as SMTP has it (IDNA); a local part beyond ASCII stays and needs SMTPUTF8 (RFC 6531)."""
    if address.isascii():
        return address
    valid = validate_email(address, check_deliverability=False, test_environment=True)
    return f"{valid.local_part}@{valid.ascii_domain}"


def _values(settings: Settings, kind: str, message: Message) -> dict[str, Any]:
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    values = {name: _tidy(value) for name, value in fields.items() if name != "token"}
    values["service"] = parseaddr(settings.sender)[0] or urlsplit(settings.public_url).hostname
    if kind in PAGES:
        values["link"] = f"{settings.link_url or settings.public_url}{PAGES[kind]}#token={fields['token']}"
    return values


def _tidy(value: object) -> object:
    """Nothing that was typed by somebody may look like a paragraph of ours."""
    return " ".join(value.split()) if isinstance(value, str) else value


def _parts(paragraphs: list[str], values: Mapping[str, Any]) -> Iterator[Part]:
    for paragraph in paragraphs:
        words, _, last = paragraph.rpartition("\n")
        if last == values.get("link"):
            yield Part("link", " ".join(words.split()).rstrip(":") or last, last)
        elif paragraph == values.get("code"):
            yield Part("code", paragraph)
        else:
            yield Part("text", " ".join(paragraph.split()))


def _template(settings: Settings, name: str, locale: str, common: str | None = None) -> Template:
    """In the language, or in English, or the one for all: of each first the operator's, then the built-in one."""
    names = [f"{locale}/{name}", *([common] if common else [f"{FALLBACK}/{name}"])]
    return _environment(settings.mail_templates).select_template(names)


@cache
def _environment(folder: str | None) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([*([folder] if folder else []), BUILT_IN]),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and name.endswith(".html")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "day": _day}
    return environment


@pass_context
def _moment(rendering: Rendering, at: datetime) -> str:
    """Day and time, in UTC: where somebody reads their mail is not known."""
    return format_datetime(at, "long", locale=_customs(rendering["locale"]))


@pass_context
def _day(rendering: Rendering, at: datetime) -> str:
    return format_date(at, "long", locale=_customs(rendering["locale"]))


def _customs(locale: str) -> Locale:
    """How dates are written in a language; as in English where Babel does not know it."""
    try:
        return Locale.parse(locale, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FALLBACK)
