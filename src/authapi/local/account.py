"""The system account a server runs under, and places which that account can reach."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authapi.local.binaries import CannotStart

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Account:
    """None stands for whoever runs this program. Root becomes somebody else: Postgres refuses to run as root."""

    uid: int | None = None
    gid: int | None = None

    def popen(self, command: Sequence[str], log: int) -> subprocess.Popen[bytes]:
        """Starts a program that outlives this one and does not hear its Ctrl-C; it writes to the descriptor `log`."""
        return subprocess.Popen(  # noqa: S603
            command,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def run(self, command: Sequence[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            command,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
        )

    def may_execute(self, path: Path) -> bool:
        """May run that file or enter that folder. The kernel is asked: mode bits know nothing of ACLs and mounts."""
        if self.uid is None:
            return os.access(path, os.X_OK)
        try:
            return self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)], seconds=10).returncode == 0
        except OSError as error:
            raise CannotStart(
                f"Root may not become user {self.uid} here ({error.strerror}): run this as a normal user instead."
            ) from error

    def own(self, folder: Path) -> None:
        """Hands a folder that belongs to root, and all in it, to this account."""
        if self.uid is None or self.gid is None or folder.stat().st_uid == self.uid:
            return
        for path in (*folder.rglob("*"), folder):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def settle(folder: Path, *, lasting: bool) -> tuple[Path, Account]:
    """Where the data of `folder` lie, or shall lie, and who serves them.

    That is `folder/data` and the caller, or for root the owner of existing data, else user 65534. No parent is ever
    opened up for that user: when it cannot reach `folder`, new data go to a place of their own (below
    /var/lib/authapi if they shall last, else below /var/tmp) and `folder/data` becomes a link to them.
    """
    link = folder / "data"
    data = link.resolve()
    if link.is_symlink() and not data.parent.is_dir():
        raise CannotStart(f"The data of {folder} were in {data}, which is gone: bring them back or remove {link}.")
    account = _server_of(data)
    if data.exists():
        account.own(data)
        if not account.may_execute(data):
            raise CannotStart(f"User {account.uid or os.getuid()} may not enter {data}: let it in or move the folder.")
    elif not account.may_execute(data.parent):
        data = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=_shelter(lasting=lasting))) / "data"
        data.parent.chmod(0o755)
        link.symlink_to(data)
    return data, account


def reachable(program: Path, parts: Sequence[Path], account: Account) -> Path:
    """`program`, or a copy of it and its `parts` (siblings in one tree) if the account cannot run it where it is."""
    if account.uid is None or account.may_execute(program):
        return program
    root = Path(os.path.commonpath([part.parent for part in parts]))
    seen = program.stat()
    name = hashlib.sha256(f"{program}\0{seen.st_mtime_ns}\0{seen.st_size}".encode()).hexdigest()[:16]
    copy = _shelter(lasting=True) / f"programs-{name}"
    if not copy.is_dir():
        _copy(root, parts, copy)
    if not account.may_execute(copy / program.relative_to(root)):
        raise CannotStart(f"User {account.uid} can run neither {program} nor a copy in {copy}: run as a normal user.")
    return copy / program.relative_to(root)


def _copy(root: Path, parts: Sequence[Path], target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=target.parent))
    try:
        for part in parts:
            place = draft / part.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            if part.is_dir():
                shutil.copytree(part, place, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
            elif part.is_file():
                shutil.copy2(part, place)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        if not target.is_dir():
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _server_of(data: Path) -> Account:
    if os.geteuid() != 0:
        return Account()
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    return Account(NOBODY, NOBODY)


def _shelter(*, lasting: bool) -> Path:
    """A folder of root that everybody can enter. Cleaners sweep /var/tmp, so what shall last goes elsewhere."""
    folder = Path("/var/lib/authapi") if lasting else Path("/var/tmp/authapi-0")  # noqa: S108 - ownership is checked
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != 0:
        raise CannotStart(f"{folder} belongs to somebody else: remove it.")
    folder.chmod(0o755)
    return folder


def _environment() -> dict[str, str]:
    """Without `PG*`, which would steer the server, and with messages in English, which are searched for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
