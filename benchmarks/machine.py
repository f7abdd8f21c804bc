"""What the figures were measured on and with."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import Peer
from benchmarks.servers import Backends

OUR_PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "redis", "pyjwt", "argon2-cffi")


def describe() -> dict[str, str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "wrk": (_first_line("wrk -v") or "?").split("[")[0].strip(),
    }


def versions(peers: Sequence[Peer], backends: Backends) -> dict[str, str]:
    found = {"ours": ", ".join(f"{name} {version(name)}" for name in OUR_PACKAGES)}
    found["revision"] = _first_line("git describe --always --dirty") or "unknown"
    for peer in peers:
        pinned = [_first_line(command, peer) or "?" for command in peer.versions]
        if peer.has("requirements.txt"):
            lines = (peer.folder / "requirements.txt").read_text().splitlines()
            pinned += [line.strip() for line in lines if "==" in line][:8]
        if pinned:
            found[peer.title] = ", ".join(pinned)
    return found


def _first_line(command: str, peer: Peer | None = None) -> str | None:
    environment = peer.environment() if peer else None
    folder = peer.folder if peer else None
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else None
