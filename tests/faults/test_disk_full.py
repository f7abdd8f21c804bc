"""Postgres has no room left on its disk, and gets some again."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.faults.load import Load
from tests.support.faults.parts import Parts
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults-disk")

SEED = 20261121
SIZE = "160m"
RECOVERY, PATIENCE = 5.0, 20.0


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small one of its own, which may be filled."""
    folder = Path(tempfile.mkdtemp(prefix="authapi-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("a small disk can be mounted by root only, where the kernel lets it (CAP_SYS_ADMIN)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture
async def cramped(disk: Path, tmp_path: Path) -> AsyncIterator[Parts]:
    made = Parts(tmp_path, disk=disk)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.mark.in_full
@pytest.mark.timeout(300)
async def test_the_disk_is_full(disk: Path, cramped: Parts, prove: Prove) -> None:
    load = Load(cramped.urls, users=40, seed=SEED, pause=0.2)
    await load.begin()
    refused, took = 0, 0.0
    async with load.running():
        for _ in range(2):
            await asyncio.sleep(2)
            before = load.town.done["told to wait"]
            await _fill(disk, seconds=8)
            refused += load.town.done["told to wait"] - before
            await cramped.revive_postgres()
            took = max(took, await load.recover(within=RECOVERY))
    await load.settle(cramped.rows)
    await load.close()
    assert refused > 0, "there was still room"
    assert load.violations == [], "\n".join(load.violations)
    prove(
        "F-disk-full",
        "no room left on the disk of Postgres, twice",
        number=f"{len(load.violations)} violations, {refused} told to come back, well after {took:.1f} s",
        bar="0 violations, well again within 5 s",
        passed=load.violations == [],
    )


async def _fill(disk: Path, *, seconds: float) -> None:
    """What is freed meanwhile is taken, too."""
    with tempfile.TemporaryFile(dir=disk) as filler:
        for _ in range(int(seconds / 0.1)):
            if free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize:
                with suppress(OSError):  # somebody else was quicker
                    os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), free)
            await asyncio.sleep(0.1)
