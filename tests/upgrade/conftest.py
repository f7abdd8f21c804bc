"""A database with nothing in it, to be migrated."""

import os
from collections.abc import Iterator

import pytest

from tests.conftest import POSTGRES
from tests.support.contract.schemas import execute


@pytest.fixture
def database(worker: int) -> Iterator[str]:
    server, name = os.environ[POSTGRES], f"upgrade_{worker}"
    execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    yield server.rsplit("/", 1)[0] + f"/{name}"
    execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')
