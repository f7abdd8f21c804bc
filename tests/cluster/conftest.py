"""Folders and hosts for servers that take over from each other."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.hosts import Hosts, make_hosts
from tests.support.servers import open_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the servers' own account may enter."""
    folder = open_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with make_hosts(3) as hosts:
        yield hosts
