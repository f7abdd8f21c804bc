"""What must not leave the process in logs and traces, found by name and by look."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from uuid import UUID

REDACTED = "[redacted]"
SECRET_NAMES = frozenset({"code", "key", "pin", "otp", "jwt", "csrf", "dsn", "signature", "state", "verifier", "nonce"})
SECRET_PARTS = (
    *("password", "passwd", "passphrase", "token", "secret", "authorization", "cookie", "credential"),
    *("api_key", "private_key", "_code"),
)
HARMLESS_NAMES = frozenset({"status_code", "exit_code", "token_type", "error_code"})

TOKEN_START = "rt_"  # noqa: S105 (how refresh tokens begin)
TOKEN_LENGTH = 20
JWT_START = "eyJ"
DEEPEST = 8

_RUN = re.compile(r"[A-Za-z0-9_.\-]{12,}")
_ROW = re.compile(r"DETAIL:.*?(?=\n\[SQL|\n\[parameters|\nHINT:|\nCONTEXT:|\Z)", re.DOTALL)
_PLAIN = (UUID, date, timedelta, Decimal, Enum, PurePath, IPv4Address, IPv6Address, IPv4Network, IPv6Network)


@lru_cache(1024)
def is_secret(name: str) -> bool:
    """Whether a value of that name is never shown."""
    name = name.lower().replace("-", "_")
    return name in SECRET_NAMES or (name not in HARMLESS_NAMES and any(part in name for part in SECRET_PARTS))


def clean(text: str) -> str:
    """Without anything that looks like one of our tokens, and without the row that Postgres quotes as DETAIL."""
    if TOKEN_START in text or JWT_START in text:
        text = _RUN.sub(lambda run: _clean_run(run[0]), text)
    return _ROW.sub(f"DETAIL: {REDACTED}", text) if "DETAIL:" in text else text


def _clean_run(run: str) -> str:
    """One look from the left for each, so the time is linear in what an attacker can make long."""
    jwt = run.find(JWT_START)
    if jwt >= 0 and "." in run[jwt:]:
        run = run[:jwt] + REDACTED
    parts = run.split(".")
    for index, part in enumerate(parts):
        token = part.find(TOKEN_START)
        if token >= 0 and len(part) - token - len(TOKEN_START) >= TOKEN_LENGTH:
            parts[index] = part[:token] + REDACTED
    return ".".join(parts)


def redact(value: object, depth: int = 0) -> object:
    """A copy that can be shown, made of what JSON knows. An object of an unknown type becomes its type's name."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return clean(value)
    if depth > DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        names = ((str(name), item) for name, item in value.items())
        return {name: REDACTED if is_secret(name) else redact(item, depth + 1) for name, item in names}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    if isinstance(value, BaseException):
        return clean(f"{type(value).__name__}: {value}")
    return str(value) if isinstance(value, _PLAIN) else f"<{type(value).__name__}>"
