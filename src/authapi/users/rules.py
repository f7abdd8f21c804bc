"""What is accepted of a person: addresses, and which spellings of one are the same; names, languages, time zones."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic_core import Url

LONGEST_ADDRESS = 254
"""Bytes of UTF-8 (RFC 5321 §4.5.3.1.3 with erratum 1690 of RFC 3696)."""

LONGEST_NAME = 100
LONGEST_LOCALE = 35
"""Characters (RFC 5646 §4.4.1)."""

LONGEST_URL = 2048

NOT_AN_ADDRESS = "Enter an e-mail address at a public domain, like ada@example.com."
TOO_LONG_ADDRESS = f"An e-mail address has at most {LONGEST_ADDRESS} bytes."
WRONG_AT = "Type the @ of the e-mail address as a plain @ (U+0040)."
SIZE_OF_NAME = f"A name has 1 to {LONGEST_NAME} characters."
UNPRINTABLE_NAME = "A name cannot have line breaks or invisible characters."
LINK_IN_NAME = "A name cannot have < or > or a link."
NO_LETTER_IN_NAME = "A name needs at least one letter."

NOT_A_LOCALE = "Enter a language tag of BCP 47 without extensions, like en, de-AT or zh-Hant-TW."
NOT_A_TIME_ZONE = "Enter the name of a time zone, like Europe/Vienna."
NOT_A_PICTURE = f"Enter an https:// address of at most {LONGEST_URL} characters, without a user or password in it."

LOCALE = re.compile(
    r"(?P<language>[a-z]{2,3})(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3})){0,2})"
)
RENAMED = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
"""Languages of two letters that have another tag now (IANA's registry of language subtags)."""

PLAIN_LOCAL = re.compile(r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*")
LONGEST_LOCAL = 64
"""Bytes of what stands before the @ (RFC 5321 §4.5.3.1.1)."""

LINK = re.compile(r"[<>]|://|\bwww\.", re.IGNORECASE)
JOINERS = "\u200c\u200d"
"""Zero-width, and yet part of the spelling in Persian and in the scripts of India."""


@dataclass(frozen=True, slots=True)
class Address:
    """`display` is where mail goes and what people see. `key` is unique: one mailbox, one key.

    Look up by `key`, but send to the `display` that is stored, never to what was typed just now.
    """

    display: str
    key: str


def parse_address(text: str) -> Address:
    """Raises ValueError, with a message for people in which nothing of the text is repeated. Asks no DNS.

    The local part is NFKC (UTS #39 §3.3); in the key it is also case-folded, one character to one. So dots and
    `+tags` stay, since they may be other mailboxes, and so do `ß` and `ss`, and the Turkish i's with and without a dot.
    The key has the domain as lower-case A-labels (IDNA 2008, UTS #46 non-transitional): `ß` stays there too.
    """
    text = text.strip(" \t\r\n\u00a0")
    if len(text) > LONGEST_ADDRESS:
        raise ValueError(TOO_LONG_ADDRESS)
    if any(at in text for at in "\uff20\ufe6b"):
        raise ValueError(WRONG_AT)
    local, _, domain = text.rpartition("@")
    if len(local) <= LONGEST_LOCAL and PLAIN_LOCAL.fullmatch(local) and (plain := _plain_domain(domain)):
        return Address(f"{local}@{plain}", f"{local}@{plain}")
    valid = _validated(f"{unicodedata.normalize('NFKC', local)}@{domain}")
    if valid is None:
        raise ValueError(NOT_AN_ADDRESS)
    address = Address(valid.normalized, f"{_folded(valid.local_part)}@{valid.ascii_domain.lower()}")
    if max(len(address.display.encode()), len(address.key.encode())) > LONGEST_ADDRESS:
        raise ValueError(TOO_LONG_ADDRESS)
    return address


def _validated(address: str) -> ValidatedEmail | None:
    try:
        return validate_email(
            address,
            check_deliverability=False,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            strict=True,
        )
    except (EmailNotValidError, UnicodeError):
        return None


@lru_cache(1024)
def _plain_domain(domain: str) -> str | None:
    """The domain as it is kept, if it has one form; that it may be one is found out once. Most people share a few."""
    valid = _validated(f"a@{domain}")
    return valid.domain if valid is not None and valid.domain == valid.ascii_domain else None


def _folded(local: str) -> str:
    """Simple case folding (Unicode §5.18): full folding would turn `ß` to `ss`, which is somebody else's mailbox."""
    simple = "".join(_fold(character) for character in local)
    return unicodedata.normalize("NFKC", simple)


def _fold(character: str) -> str:
    full = character.casefold()
    return full if len(full) == 1 else character.lower()


def display_name(text: str) -> str:
    """A first or last name, trimmed and NFC. Raises ValueError with a message for people.

    Names end up in mails and on other people's pages, so nothing passes that forges lines, direction, tags or links.
    """
    if len(text) > 4 * LONGEST_NAME:
        raise ValueError(SIZE_OF_NAME)
    name = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(SIZE_OF_NAME)
    if any(is_unprintable(character) for character in name):
        raise ValueError(UNPRINTABLE_NAME)
    if LINK.search(unicodedata.normalize("NFKC", name)):
        raise ValueError(LINK_IN_NAME)
    if not any(character.isalpha() for character in name):
        raise ValueError(NO_LETTER_IN_NAME)
    return name


def is_unprintable(character: str) -> bool:
    """Control, format (bidirectional overrides among them), surrogate, private, unassigned, line and paragraph ends."""
    return character not in JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def locale(text: str) -> str:
    """A language tag in its canonical form (RFC 5646 §4.5). Raises ValueError with a message for people."""
    tag = LOCALE.fullmatch(text.lower()) if text.isascii() and len(text) <= LONGEST_LOCALE else None
    if tag is None:
        raise ValueError(NOT_A_LOCALE)
    language = RENAMED.get(tag["language"], tag["language"])
    parts = (language, (tag["script"] or "").title(), (tag["region"] or "").upper())
    return "-".join(filter(None, parts)) + tag["variants"]


def time_zone(text: str) -> str:
    """A name of the IANA time zone database, as it is spelt there. Raises ValueError with a message for people."""
    if text not in _zones():
        raise ValueError(NOT_A_TIME_ZONE)
    return text


@cache
def _zones() -> frozenset[str]:
    """Of the package, not of the machine, so that all instances know the same; slim images have none at all."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}


def picture_url(text: str) -> str:
    """The address of a picture, in the one form that browsers make of it (WHATWG). It is never fetched from here.

    Raises ValueError with a message for people.
    """
    try:
        url = Url(text)
    except ValueError:
        raise ValueError(NOT_A_PICTURE) from None
    if url.scheme != "https" or url.username is not None or url.password is not None or len(str(url)) > LONGEST_URL:
        raise ValueError(NOT_A_PICTURE)
    return str(url)
