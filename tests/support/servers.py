"""A real Postgres and Valkey for one run of the tests, and a migrated database to copy from."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import asyncpg

from authapi import migrations
from authapi.local import postgres, valkey
from authapi.local.postgres import Postgres
from authapi.local.valkey import Valkey

TEMPLATE = "template_authapi"
SHARED_MEMORY = Path("/dev/shm")
ROOM = 512 * 2**20
"""Bytes that must be free in shared memory, or the disk is used."""


class Servers:
    def __init__(self) -> None:
        self.folder = open_folder()
        self.postgres: Postgres = postgres.start(self.folder / "postgres", durable=False)
        self.valkey: Valkey = valkey.start(self.folder / "valkey", durable=False)
        postgres.ensure_database(self.postgres, TEMPLATE)
        migrations.up(self.postgres.url(TEMPLATE))

    def stop(self) -> None:
        self.postgres.stop()
        self.valkey.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_folder() -> Path:
    """A new folder that the servers' own account may enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="authapi-tests-", dir=_fastest()))
    folder.chmod(0o755)
    return folder


def make_database(server_url: str, name: str) -> None:
    """A copy of the migrated template."""
    asyncio.run(_make_database(server_url, name))


async def _make_database(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url.replace("+asyncpg", ""))
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY FILE_COPY')
    finally:
        await connection.close()


def _fastest() -> str | None:
    if not SHARED_MEMORY.is_dir() or not os.access(SHARED_MEMORY, os.W_OK):
        return None
    return str(SHARED_MEMORY) if shutil.disk_usage(SHARED_MEMORY).free > ROOM else None
