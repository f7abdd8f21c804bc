"""The run as Markdown."""

from collections.abc import Iterator
from statistics import median

from benchmarks.bars import all_bars, thrift
from benchmarks.results import BARE, Results
from benchmarks.tables import mebibytes, number, ratio, table

HEADINGS = {
    "refresh": "Refresh, with rotation",
    "session": "Session check, a revocation honoured at once",
    "session_stateless": "Session check, stateless: nothing can be revoked before it expires",
    "login": "Login, the hash removed",
    "signup": "Sign-up, the hash removed",
    "logout": "Logout",
    "login_own": "Login, each with its own hash",
    "signup_own": "Sign-up, each with its own hash",
}
METHOD = """\
One process a contestant, pinned to core 0; Postgres and Valkey (durable, fsync on) and wrk (32 connections) on core 1.
Contestants take turns in every round; the figures are medians over the rounds. **CPU** is user and system time of the
server's process tree for each request. It decides, because requests a second move with whatever else the machine does.

"Others" is the share of the server's core that went elsewhere. Statements count BEGIN and COMMIT, so they are nearly
the round trips; "writes" are transactions that had to be made durable. pg_stat_statements is on, for all alike.
Every answer is checked while loading: a wrong status, a missing token or one that came back before fails the run.

"Hash removed" replaces only the hash. Ours becomes one SHA-256 inside argon2-cffi's own class, so the way to the
hashing thread and back is still paid; peers use a trivial hasher in their own settings. Our log stays on at info, to a
file: it is part of the service. Our sign-up also signs in; those of Django and fastapi-users only make an account.
"""


def markdown(results: Results) -> str:
    parts = [
        f"# How fast it is\n\nMeasured {results.date} by `make bench`; all figures are of one run.\n\n{METHOD}",
        "## The bars\n\n" + _bars(results),
        *(_operation(results, name) for name in HEADINGS if results.samples.get(name)),
        _processes(results),
        _probes(results),
        _setting(results),
    ]
    return "\n".join(part for part in parts if part)


def summary(results: Results) -> str:
    """What a terminal shows at the end."""
    lines = []
    for operation in results.samples:
        us, bare = results.median(operation, results.us), results.bare(operation)
        if us is None or bare is None:
            continue
        lines.append(
            f"{operation:18} {us.cpu:6.0f} µs  {us.rate:6.0f}/s  {thrift(us) / thrift(bare):.2f} × bare by CPU, "
            f"{us.rate / bare.rate:.2f} × by rate"
        )
    failed = [bar for bar in all_bars(results) if bar.passed is False]
    lines += [f"not reached: {bar.area}, {bar.asked}: {bar.measured}" for bar in failed]
    return "\n".join(lines + results.left_out)


def _bars(results: Results) -> str:
    marks = {True: "yes", False: "**no**", None: "–"}
    rows = [(bar.area, bar.asked, bar.measured, marks[bar.passed]) for bar in all_bars(results)]
    lines = ["| | asked | measured | reached |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _operation(results: Results, operation: str) -> str:
    head: tuple[str, ...] = (
        "",
        "CPU µs",
        "req/s",
        "p50 ms",
        "p99 ms",
        "Postgres µs",
        "Redis µs",
        "WAL B",
        "statements",
        "writes",
    )
    head += ("Redis commands", "others", "req/CPU s to bare", "ours to it")
    text = f"## {HEADINGS[operation]}\n\n{table(head, _rows(results, operation))}"
    if operation in results.argon2:
        rate, cpu = median(results.argon2[operation]), median(results.argon2_cpu[operation])
        text += f"\nArgon2 alone, our build and parameters, the same core: {rate:.1f} a second, {cpu:,.0f} µs each.\n"
    return text


def _rows(results: Results, operation: str) -> Iterator[tuple[str, ...]]:
    us = results.median("session" if operation == "session_stateless" else operation, results.us)
    bare = results.bare(operation)
    for name in results.samples[operation]:
        found = results.median(operation, name)
        assert found is not None
        figures = (found.cpu, found.rate, found.p50, found.p99, found.postgres, found.redis, found.wal)
        counts = (found.statements, found.writes, found.commands)
        yield (
            results.titles[name],
            *(number(each) for each in figures),
            *(f"{each:.1f}" for each in counts),
            f"{found.foreign:.0%}",
            ratio(thrift(found), thrift(bare)) if bare else "–",
            ratio(thrift(us), thrift(found)) if us and name != BARE else "–",
        )


def _processes(results: Results) -> str:
    head = ("", "cold start s", "PSS idle MiB", "PSS after load MiB")
    rows = [
        (
            results.titles[name],
            f"{median(results.cold[name]):.2f}",
            mebibytes(results.idle[name]),
            mebibytes(results.after[name]),
        )
        for name in results.cold
    ]
    return f"## Memory and cold start\n\nCold start is from spawn to the first 200.\n\n{table(head, rows)}"


def _probes(results: Results) -> str:
    rows = [
        (f"{probe}: {figure}", number(value))
        for probe, found in results.probes.items()
        for figure, value in found.items()
    ]
    return f"## Probes\n\n{table(('', 'measured'), rows)}" if rows else ""


def _setting(results: Results) -> str:
    lines = [f"- {name}: {value}" for name, value in results.machine.items()]
    lines += [f"- {name}: {value}" for name, value in results.versions.items()]
    notes = [f"- {results.titles[name]}: {note}" for name, note in results.notes.items() if note]
    text = "## Machine and versions\n\n" + "\n".join(lines) + "\n\n## How the contestants were set up\n\n"
    text += "\n".join(notes) + "\n"
    if results.left_out:
        text += "\n## Left out\n\n" + "\n".join(f"- {reason}" for reason in results.left_out) + "\n"
    return text
