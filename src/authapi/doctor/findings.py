"""What the doctor says about one thing. Findings never hold a secret or a password."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is empty where there is nothing to do."""

    level: Level
    subject: str
    message: str
    fix: str = ""


def ok(subject: str, message: str) -> Finding:
    return Finding("ok", subject, message)


def warning(subject: str, message: str, fix: str) -> Finding:
    return Finding("warning", subject, message, fix)


def error(subject: str, message: str, fix: str) -> Finding:
    return Finding("error", subject, message, fix)
