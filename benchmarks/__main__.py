"""`python -m benchmarks`: measures, and writes report.md, report.html and results.json beside this file."""

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from authapi.local.binaries import CannotStart
from benchmarks import (
    enumeration,
    far_redis,
    machine,
    page,
    peers,
    proc,
    process,
    report,
    results,
    rounds,
    scale,
    servers,
    storm,
)
from benchmarks.load import wrk
from benchmarks.peers import OPERATIONS, OURS, CannotRun, Peer
from benchmarks.rounds import Plan

FOLDER = Path(__file__).parent
QUICK = Plan(("refresh", "session", "login", "logout"), (), 3, 2, 1000, 2000, 3)
FULL = Plan(OPERATIONS, ("login", "signup"), 5, 3, 1000, 3000, 5)
PROBES = {
    "process": process.probe,
    "storm": storm.probe,
    "enumeration": enumeration.probe,
    "far_redis": far_redis.probe,
    "scale": scale.probe,
}


def main() -> int:
    options = _options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        return _run(options)
    except (CannotRun, CannotStart) as error:
        print(error, file=sys.stderr)
        return 1


def _alone() -> None:
    """Two runs would measure each other. The lock is held until this process ends."""
    peers.BENCH.mkdir(exist_ok=True)
    lock = os.open(peers.BENCH / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotRun("Another run is under way in this folder: wait for it to end.") from None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ours and bare FastAPI only, in at most three minutes")
    parser.add_argument("--only", help="operations, separated by commas: " + ", ".join(OPERATIONS))
    parser.add_argument("--peers", help="contestants beside ours, separated by commas: " + ", ".join(peers.names()))
    parser.add_argument("--probes", help="what else to find out, or none: " + ", ".join(PROBES))
    parser.add_argument("--against", help="revisions of git to measure beside the tree, separated by commas")
    parser.add_argument("--without-tree", action="store_true", help="with --against: leave out what lies in the tree")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each round")
    parser.add_argument("--no-own-hash", action="store_true", help="leave out login and sign-up with the real hash")
    parser.add_argument("--date", default=datetime.now().astimezone().date().isoformat(), help="for the report")
    parser.add_argument("--report", type=Path, help="folder for the report; a quick run writes to .bench")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    wrk()
    if not proc.PROC.joinpath("stat").exists():
        raise CannotRun("CPU time and memory are read from /proc, so this runs on Linux only.")
    _alone()
    if not servers.pin():
        print("There is one core only: server and load share it, so only CPU time a request means anything.")
    plan = _plan(options)
    wanted = options.peers.split(",") if options.peers else [] if options.quick else peers.names()[len(OURS) :]
    found = results.Results(date=options.date, machine=machine.describe())
    contestants = _installed(_chosen(options, wanted), found)
    try:
        with servers.backends() as backends:
            found.versions = machine.versions(contestants, backends)
            rounds.run(plan, contestants, backends, found, _say)
            us = next(each for each in contestants if each.name == found.us)
            for name in _probes(options):
                _say(f"probe {name}")
                found.probes[name] = PROBES[name](backends, _say, us)
    finally:
        if found.samples or found.probes:  # also what an interrupted run has found so far
            _write(found, options.report or (FOLDER if _is_whole(options) else peers.BENCH))
    print(f"{time.monotonic() - started:.0f} s")
    return 0


def _is_whole(options: argparse.Namespace) -> bool:
    return not (options.quick or options.only or options.peers)


def _write(found: results.Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    results.write(found, folder / "results.json")
    (folder / "report.md").write_text(report.markdown(found))
    (folder / "report.html").write_text(page.html(found))
    print(report.summary(found))
    print(f"{folder}/report.md")


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    only = tuple(options.only.split(",")) if options.only else plan.operations
    only = () if only == ("none",) else only
    unknown = [name for name in only if name not in OPERATIONS]
    if unknown:
        raise CannotRun(f"There is no operation {unknown[0]}; there are: {', '.join(OPERATIONS)}.")
    own = () if options.no_own_hash else tuple(name for name in plan.own_hash if name in only)
    rounds = options.rounds or plan.rounds
    seconds = options.seconds or plan.seconds
    return Plan(only, own, rounds, seconds, plan.logins, plan.logouts, plan.starts)


def _probes(options: argparse.Namespace) -> list[str]:
    if options.probes is None:
        return list(PROBES) if _is_whole(options) else []
    return [name for name in options.probes.split(",") if name in PROBES]


def _chosen(options: argparse.Namespace, wanted: Sequence[str]) -> list[Peer]:
    ours = [peers.load("bare")]
    if not options.without_tree:
        ours.append(peers.load("authapi"))
    ours += [peers.revision(name) for name in (options.against or "").split(",") if name]
    return [*ours, *(peers.load(name) for name in wanted if name not in OURS)]


def _installed(chosen: Sequence[Peer], found: results.Results) -> list[Peer]:
    """Those that can be; for the others the report says why not."""
    ready = []
    for peer in chosen:
        try:
            peers.install(peer)
        except CannotRun as error:
            found.left_out.append(str(error))
            _say(str(error))
            continue
        ready.append(peer)
        found.titles[peer.name], found.notes[peer.name] = peer.title, peer.notes
    return ready


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
