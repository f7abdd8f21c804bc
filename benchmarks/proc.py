"""What the kernel says of a tree of processes: CPU time and memory. Linux only."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far, with that of children that have ended and were waited for."""
    ticks = 0
    for pid in tree(root):
        if fields := _stat(pid):
            ticks += sum(int(each) for each in fields[11:15])
    return ticks / TICK


def busy_seconds(core: int) -> float:
    """What that core has spent on anything but idling."""
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            return sum(int(each) for each in (*fields[:3], *fields[5:8])) / TICK
    return 0.0


def pss(root: int) -> int:
    """Bytes of memory of the tree, shared pages divided among those who share them."""
    total = 0
    for pid in tree(root):
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total * 1024


def _stat(pid: int) -> list[str] | None:
    """The fields of stat(5) from the third on: the second, a name, may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
