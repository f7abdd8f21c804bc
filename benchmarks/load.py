"""Loads one operation of a contestant with wrk and reads what came of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.contestant import Contestant
from benchmarks.peers import BENCH, ROOT, CannotRun, Operation

Kind = Literal["chain", "round", "once", "unique"]
"""The newest token is sent next; the same ones go round; each is used once; a new person a request."""

KINDS: dict[str, Kind] = {
    "refresh": "chain",
    "session": "round",
    "session_stateless": "round",
    "login": "round",
    "signup": "unique",
    "logout": "once",
    "list": "round",
}
CONNECTIONS = 32
FEW_CONNECTIONS = 8
"""Where real hashes are made: a queue of more than two seconds of them is refused by ours, and rightly."""

SCRIPT = ROOT / "benchmarks" / "lua" / "load.lua"
UNIQUE = 10_000_000
"""Numbers of people that one load may use up."""

Vars = dict[str, str]


class Failed(CannotRun):
    """An answer was wrong while loading."""


@dataclass(frozen=True, slots=True)
class Loaded:
    requests: int
    seconds: float
    p50: float
    """Milliseconds."""
    p99: float
    sent: int
    """Also those that were under way at the end: the server has worked for them, too."""
    bad: int
    lost: int
    """Connections that broke, and requests without an answer."""
    sample: str

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise CannotRun("The load comes from wrk, which is missing: `apt-get install wrk`, or `brew install wrk`.")
    return found


def load(
    contestant: Contestant,
    operation: Operation,
    seeds: Sequence[Vars],
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    keep: Sequence[str] = (),
    strict: bool = True,
) -> tuple[Loaded, list[Vars]]:
    """Also returns what the answers held, by the names in `keep`. Raises Failed if one answer was wrong."""
    folder = BENCH / "run"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{contestant.peer.name}.{operation.name}"
    kept, spec = folder / f"{stem}.kept", folder / f"{stem}.lua"
    kind = KINDS[operation.name]
    contents = _spec(contestant, operation, kind, folder / f"{stem}.seeds", seeds, kept if keep else None, keep)
    spec.write_text(f"return {_lua(contents)}\n")
    command = [wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(SCRIPT)]
    done = subprocess.run(
        [*command, contestant.url, "--", str(spec)], capture_output=True, text=True, timeout=seconds + 90, check=False
    )
    found = re.search(r"^RESULT (.*)$", done.stdout, re.M)
    if found is None:
        raise Failed(f"wrk ended without a result: {(done.stderr or done.stdout)[-300:]}")
    loaded = Loaded(**json.loads(found[1]))
    if strict and (loaded.bad or loaded.lost):
        what = f"{loaded.bad} wrong answers and {loaded.lost} lost of {loaded.requests}: {loaded.sample}"
        raise Failed(f"{contestant.peer.title}, {operation.name}: {what}")
    contestant.people += UNIQUE if kind == "unique" else 0
    return loaded, _kept(kept, keep) if keep else []


def _spec(
    contestant: Contestant,
    operation: Operation,
    kind: Kind,
    file: Path,
    seeds: Sequence[Vars],
    kept: Path | None,
    keep: Sequence[str],
) -> dict[str, object]:
    names = sorted(seeds[0]) if seeds else []
    file.write_text("".join("\t".join(each[name] for name in names) + "\n" for each in seeds))
    spec: dict[str, object] = {
        "kind": kind,
        "method": operation.method,
        "path": operation.path,
        "headers": operation.headers,
        "status": operation.status,
        "takes": {name: _pattern(where) for name, where in operation.takes.items() if where.startswith("json:")},
        "person": contestant.peer.person,
        "ready": contestant.peer.ready,
        "names": names,
        "first": contestant.people,
    }
    optional = {"body": operation.body, "extra": operation.extra, "seeds": str(file) if seeds else None}
    optional |= {"keep": str(kept) if kept else None}
    spec |= {name: value for name, value in optional.items() if value is not None}
    return spec | ({"kept": list(keep)} if keep else {})


def _pattern(where: str) -> str:
    name = re.sub(r"([^A-Za-z0-9_])", r"%\1", where.partition(":")[2])
    return f'"{name}"%s*:%s*"([^"]+)"'


def _kept(file: Path, names: Sequence[str]) -> list[Vars]:
    lines = (line.split("\t") for line in file.read_text().splitlines())
    return [dict(zip(names, values, strict=True)) for values in lines if len(values) == len(names)]


def _lua(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{_lua(key)}] = {_lua(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(_lua(each) for each in value) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
