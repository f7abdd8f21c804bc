"""The record of a proof as it is written, and what it was made on."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from authapi.local.binaries import NoBinaries, postgres_binaries, valkey_binary

CLAIM = "claim"
"""The name of the user property of a test that carries one."""


class Claim(TypedDict):
    id: str
    injected: str
    number: int | float | str | None
    """What was measured; None where the test did not come so far."""
    bar: str
    passed: bool | None
    """None if it was skipped."""
    note: str | None
    """Why it was skipped, or how its test failed before it."""
    test: str
    seconds: float
    """Of the whole test, with what it sets up."""


class Record(TypedDict):
    date: str
    """When the run began, in UTC."""
    revision: str
    arguments: list[str]
    seconds: float
    is_complete: bool
    """False when the run was broken off."""
    machine: dict[str, str]
    tests: dict[str, int]
    failed_tests: list[str]
    claims: list[Claim]


def machine() -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Postgres": _postgres(),
        "Valkey": _valkey(),
    }


def revision(folder: Path) -> str:
    return _said(["git", "--no-optional-locks", "-C", str(folder), "describe", "--always", "--dirty"]) or "unknown"


def _postgres() -> str:
    try:
        return _number(_said([str(postgres_binaries() / "postgres"), "--version"]))
    except NoBinaries:
        return "none"


def _valkey() -> str:
    try:
        return _number(_said([str(valkey_binary()), "--version"]))
    except NoBinaries:
        return "none"


def _number(said: str) -> str:
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else "unknown"


def _said(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
