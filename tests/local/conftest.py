"""A folder for real servers."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authapi.local import process


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can enter, unlike `tmp_path`; a server left in it is killed.

    `os.walk` passes over what vanishes meanwhile.
    """
    path = Path(tempfile.mkdtemp(prefix="authapi-test-"))
    path.chmod(0o755)
    yield path
    for data in [Path(place) / "data" for place, folders, _ in os.walk(path) if "data" in folders]:
        pid = process.find(data.resolve())
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        if data.is_symlink():
            shutil.rmtree(data.resolve().parent)
    shutil.rmtree(path, ignore_errors=True)  # a server that was just killed may still be tidying up
