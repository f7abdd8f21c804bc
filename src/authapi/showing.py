"""How commands show things: readable at a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from authapi.core.devices import in_words
from authapi.doctor.findings import Finding
from authapi.migrations import Status
from authapi.outbox.models import StoredMessage
from authapi.sessions.keys import state_of
from authapi.sessions.models import Session, StoredKey
from authapi.signin.oversight import Seen
from authapi.users.models import User

LEVELS = {"ok": "[green]ok     [/green]", "warning": "[yellow]warning[/yellow]", "error": "[red]error  [/red]"}
ORDER = ("next", "current", "previous")

console = Console(highlight=False, soft_wrap=True)


def show_findings(findings: Sequence[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        console.print(f"{LEVELS[finding.level]}  {finding.subject:<{width}}  {escape(finding.message)}")
        if finding.fix:
            console.print(f"{' ' * (width + 11)}[bold]{escape(finding.fix)}[/bold]")
    errors, warnings = (sum(finding.level == level for finding in findings) for level in ("error", "warning"))
    console.print(f"\n{errors} to put right, {warnings} to consider." if errors or warnings else "\nAll is well.")


def show_status(status: Status) -> None:
    console.print(f"current  {status.current or 'none'}{'  (newer than this version)' if status.is_ahead else ''}")
    console.print(f"head     {status.head}")
    for step in status.pending:
        console.print(f"missing  {step.revision}  {escape(step.deed)}")


def show_keys(keys: Sequence[StoredKey]) -> None:
    if not keys:
        return console.print("There are none yet: the first start of the service makes them.")
    rows = [("kid", "state", "algorithm", "created", "signs since", "until")]
    for key in sorted(keys, key=lambda key: ORDER.index(state_of(key))):
        created, since, until = (_shown(time) for time in (key.created_at, key.activated_at, key.retired_at))
        rows.append((key.kid, state_of(key), key.algorithm, created, since, until))
    _table(rows)


def show_messages(messages: Sequence[StoredMessage]) -> None:
    if not messages:
        return console.print("There are none.")
    rows = [("id", "kind", "to", "state", "tries", "written", "error")]
    for each in messages:
        told = (str(each.id), each.kind, each.recipient, each.state, str(each.tries))
        rows.append((*told, _shown(each.created_at), each.last_error or "-"))
    _table(rows)


def show_people(people: Sequence[User], *, as_json: bool) -> None:
    if as_json:
        return _json([_person(user) for user in people])
    if not people:
        return console.print("Nobody has that in their address or name.")
    rows = [("id", "address", "name", "state", "since")]
    for user in people:
        rows.append((str(user.id), user.email, _name(user) or "-", _state(user), _shown(user.created_at)))
    _table(rows)


def show_person(seen: Seen, *, as_json: bool) -> None:
    user = seen.user
    if as_json:
        sessions = [_session(session) for session in seen.sessions]
        return _json({**_person(user), "methods": list(seen.methods), "sessions": sessions})
    facts = {
        "id": str(user.id),
        "address": f"{user.email} ({'verified' if user.email_verified_at else 'not verified'})",
        "name": _name(user) or "-",
        "state": _state(user) + (f", is erased at {_shown(user.erase_at)}" if user.erase_at else ""),
        "since": _shown(user.created_at),
        "signs in by": ", ".join(seen.methods) or "-",
    }
    _table([*facts.items()])
    rows = [("session", "device", "name", "ip", "since", "last used")]
    for each in map(_session, seen.sessions):
        since, last_used = (_shown(each[name]) for name in ("created_at", "last_used_at"))
        rows.append((str(each["id"]), each["device"], each["label"] or "-", each["ip"], since, last_used))
    console.print()
    _table(rows) if seen.sessions else console.print("There are no sessions.")


def _person(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified_at is not None,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "state": _state(user),
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "erase_at": user.erase_at,
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "device": in_words(session.user_agent),
        "label": session.label,
        "ip": session.ip,
        "created_at": session.created_at,
        "last_used_at": max(session.rotated_at, session.replayed_at or session.rotated_at),
    }


def _name(user: User) -> str:
    return " ".join(filter(None, (user.first_name, user.last_name)))


def _state(user: User) -> str:
    return "leaving" if user.erase_at else "disabled" if user.disabled_at else "active"


def _json(value: object) -> None:
    console.print(to_json(value, indent=2).decode(), markup=False)


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    """The first row names the columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(line.rstrip(), markup=False)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what takes how many more are done: a bar at a terminal, nothing elsewhere."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda number: progress.update(task, advance=number)


@contextmanager
def counting(deed: str) -> Iterator[Callable[[int], None]]:
    """Gives what takes how many more are done: a running number at a terminal, and everywhere the sum at the end."""
    done = 0

    def told(number: int) -> None:
        nonlocal done
        done += number
        status.update(f"{done} {deed}")

    with console.status(deed) as status:
        yield told
    console.print(f"{done} {deed}.")


@contextmanager
def steps(total: int | None, nothing: str) -> Iterator[Callable[[str], None]]:
    """Gives what takes the name of each step that is done: a bar at a terminal, else a line for each."""
    done = 0

    def told(name: str) -> None:
        nonlocal done
        done += 1
        progress.update(task, advance=1, description=name)
        if not console.is_terminal:
            console.print(name)

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not (console.is_terminal and total != 0)) as progress:
        task = progress.add_task("", total=total)
        yield told
    if not done:
        console.print(nothing)


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "-"
