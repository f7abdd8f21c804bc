"""The contestants: what their folders below `peers/` say, how they are installed and run. See peers/README.md."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "peers"
BENCH = ROOT / ".bench"
OPERATIONS = ("refresh", "session", "session_stateless", "login", "signup", "logout")
OURS = ("bare", "authapi")


def is_ours(name: str) -> bool:
    return name in OURS or name.startswith("authapi_")


class CannotRun(Exception):
    """This contestant, or the whole run, cannot go on. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    takes: dict[str, str] = field(default_factory=dict)
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    title: str
    ready: str
    needs: tuple[str, ...]
    versions: tuple[str, ...]
    hashes: bool
    notes: str
    person: dict[str, str]
    operations: dict[str, Operation]
    source: Path | None = None
    """Another revision of ours, laid out like this repository."""

    @property
    def folder(self) -> Path:
        return FOLDER / ("authapi" if self.name.startswith("authapi_") else self.name)

    @property
    def home(self) -> Path:
        return BENCH / "peers" / self.name

    def has(self, file: str) -> bool:
        return (self.folder / file).exists()

    def environment(self, **variables: str) -> dict[str, str]:
        """Ours, without settings that could reach a contestant by accident. All start with their bytecode."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHAPI_", "PYTHON"))}
        own = self.home / "venv" / "bin" / "python"
        python = str(own) if own.exists() else sys.executable
        path = os.pathsep.join([str((self.source or ROOT) / "src"), str(ROOT)])
        return inherited | {"PEER_HOME": str(self.home), "PYTHON": python, "PYTHONPATH": path} | variables


def load(name: str) -> Peer:
    try:
        text: dict[str, Any] = tomllib.loads((FOLDER / name / "peer.toml").read_text())
    except FileNotFoundError as error:
        known = ", ".join(names())
        raise CannotRun(f"There is no {name} among the contestants, which are: {known}.") from error
    operations = {key: Operation(name=key, **value) for key, value in text["operation"].items()}
    return Peer(
        name=name,
        title=text["title"],
        ready=text["ready"],
        needs=tuple(text.get("needs", ())),
        versions=tuple(text.get("versions", ())),
        hashes=text.get("hashes", True),
        notes=text.get("notes", ""),
        person=text.get("person", {}),
        operations=operations,
    )


def revision(name: str) -> Peer:
    """Ours as it was at that revision of git, to be measured beside what lies in the tree. Raises CannotRun."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", f"{name}^{{commit}}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise CannotRun(f"git knows no revision {name}.")
    short = asked.stdout.strip()
    source = BENCH / "revisions" / short
    if not source.exists():
        draft = source.with_suffix(".draft")
        draft.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["git", "archive", short, "src", "migrations", "alembic.ini", "pyproject.toml"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        subprocess.run(["tar", "-x", "-C", str(draft)], input=packed.stdout, check=True)
        draft.rename(source)
    return replace(load("authapi"), name=f"authapi_{short}", title=f"authapi at {short}", source=source)


def names() -> list[str]:
    """Ours first."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/peer.toml"))
    return [*OURS, *(name for name in found if name not in OURS)]


def install(peer: Peer) -> None:
    """Does nothing if it has been done since a file of the folder changed. Raises CannotRun."""
    missing = [program for program in peer.needs if shutil.which(program) is None]
    if missing:
        raise CannotRun(f"{peer.title} is left out: {', '.join(missing)} not found on PATH.")
    peer.home.mkdir(parents=True, exist_ok=True)
    stamp = peer.home / "installed"
    digest = _digest(peer)
    if stamp.exists() and stamp.read_text() == digest:
        return
    if is_ours(peer.name) and peer.name != "bare":
        _install(peer, _locked(peer))
    elif peer.has("requirements.txt"):
        _install(peer, peer.folder / "requirements.txt")
    if peer.has("install.sh"):
        _must(peer, ["sh", "install.sh"])
    stamp.write_text(digest)


def _install(peer: Peer, requirements: Path) -> None:
    """Into an environment of its own, so that nobody carries or shares what others need."""
    uv, venv = _uv(), peer.home / "venv"
    _must(peer, [uv, "venv", "-q", "--clear", "--python", sys.executable, str(venv)])
    python = str(venv / "bin" / "python")
    _must(peer, [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, "-r", str(requirements)])


def _locked(peer: Peer) -> Path:
    """What production installs of ours."""
    listed = peer.home / "requirements.txt"
    _must(
        peer,
        [_uv(), "export", "-q", "--frozen", "--no-dev", "--no-emit-project", "--project", str(ROOT), "-o", str(listed)],
    )
    return listed


def _must(peer: Peer, command: list[str]) -> None:
    with (peer.home / "install.log").open("ab") as log:
        environment = peer.environment() | {"UV_SYSTEM_CERTS": "1"}
        done = subprocess.run(command, cwd=peer.folder, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        lines = (peer.home / "install.log").read_text(errors="replace").strip().splitlines()[-3:]
        raise CannotRun(f"{peer.title} is left out: it could not be installed, because: {' | '.join(lines)}")


def _uv() -> str:
    """The one on PATH, else one of our own."""
    found = shutil.which("uv")
    if found:
        return found
    own = BENCH / "uv"
    if not (own / "bin" / "uv").exists():
        made = [[sys.executable, "-m", "venv", str(own)], [str(own / "bin" / "pip"), "install", "-q", "uv"]]
        if any(subprocess.run(command, check=False).returncode for command in made):
            raise CannotRun("Peers in Python need uv, which could not be installed: put one on PATH, or use --quick.")
    return str(own / "bin" / "uv")


def _digest(peer: Peer) -> str:
    """Of the files that say what is installed."""
    hashed = hashlib.sha256()
    for name in ("requirements.txt", "install.sh", "package.json", "package-lock.json"):
        if peer.has(name):
            hashed.update((peer.folder / name).read_bytes())
    if is_ours(peer.name):
        hashed.update((ROOT / "uv.lock").read_bytes())
    return hashed.hexdigest()
