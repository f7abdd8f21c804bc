"""How commands show things: readable at a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from authapi.doctor.findings import Finding
from authapi.migrations import Status
from authapi.sessions.keys import state_of
from authapi.sessions.models import StoredKey

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
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        console.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


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
        task = progress.add_task("migrating", total=total)
        yield told
    if not done:
        console.print(nothing)


def _shown(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "-"
