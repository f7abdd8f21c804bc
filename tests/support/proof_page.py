"""The record of a proof as one page: no script, nothing loaded from elsewhere."""

from html import escape
from itertools import groupby

from tests.support.proof_record import Claim, Record

PARTS = {
    "A": "A raise at every await",
    "C": "More than one machine",
    "F": "Faults",
    "H": "Hostile input",
    "M": "The model",
    "R": "Races",
    "U": "Upgrade",
}
MARKS = {
    True: '<td class="mark yes">holds',
    False: '<td class="mark no">failed',
    None: '<td class="mark none">not tried',
}
STYLE = """
:root { color-scheme: light dark; --yes: #0b6e4f; --no: #b00020; --line: #8884; --soft: #8881 }
@media (prefers-color-scheme: dark) { :root { --yes: #5fd0a5; --no: #ff7a7a } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em }
h1 { margin-bottom: 0 } h2 { margin: 2em 0 .4em } code, .test { font: 12px/1.5 ui-monospace, monospace }
.totals { display: flex; flex-wrap: wrap; gap: 1em; margin: 1.2em 0 }
.totals div { border: 1px solid var(--line); border-radius: 8px; padding: .5em 1.2em }
.totals b { display: block; font-size: 26px; line-height: 1.2 }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; min-width: 900px; table-layout: fixed }
th, td { text-align: left; vertical-align: top; padding: .35em .7em; border-bottom: 1px solid var(--line) }
th:nth-child(1) { width: 12% } th:nth-child(3) { width: 15% } th:nth-child(4) { width: 21% }
th:nth-child(5) { width: 7% } th:nth-child(6) { width: 6% }
th { font-weight: 600; background: var(--soft) }
td { overflow-wrap: anywhere } .n { text-align: right; font-variant-numeric: tabular-nums }
.test { color: GrayText; overflow-wrap: anywhere } .mark { font-weight: 600; white-space: nowrap }
.yes { color: var(--yes) } .no { color: var(--no) } .none { color: GrayText }
"""


def page(record: Record) -> str:
    claims = record["claims"]
    parts = "".join(_part(letter, list(group)) for letter, group in groupby(claims, key=lambda claim: claim["id"][:1]))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>What authapi proves</title><style>{STYLE}</style><h1>What authapi proves</h1>{_setting(record)}"
        f"{_totals(record)}{_failures(record)}{parts or '<p>No test made a claim.</p>'}</html>\n"
    )


def _setting(record: Record) -> str:
    on = "{system}, {cores} cores, Python {Python}, Postgres {Postgres}, Valkey {Valkey}".format(**record["machine"])
    asked = " ".join(record["arguments"])
    return (
        f"<p>Run of {escape(record['date'])} at revision <code>{escape(record['revision'])}</code>, "
        f"{record['seconds'] / 60:.1f} minutes, on {escape(on)}.<br><code>pytest {escape(asked)}</code></p>"
    )


def _totals(record: Record) -> str:
    counted = [(sum(claim["passed"] is each for claim in record["claims"]), each) for each in (True, False, None)]
    names = {True: ("yes", "claims hold"), False: ("no", "claims failed"), None: ("none", "not tried")}
    boxes = "".join(
        f'<div><b class="{names[each][0] if count else "none"}">{count}</b>{names[each][1]}</div>'
        for count, each in counted
    )
    tests = record["tests"]
    boxes += f"<div><b>{tests['passed']}</b>tests passed, {tests['failed']} failed, {tests['skipped']} skipped</div>"
    return f'<div class="totals">{boxes}</div>'


def _failures(record: Record) -> str:
    broken_off = "" if record["is_complete"] else '<p class="no">This run was broken off: what follows is not all.</p>'
    tests = "".join(f'<li class="test">{escape(test)}' for test in record["failed_tests"])
    return broken_off + (f'<h2 class="no">Tests that failed</h2><ul>{tests}</ul>' if tests else "")


def _part(letter: str, claims: list[Claim]) -> str:
    rows = "".join(map(_row, claims))
    head = "<tr><th>id<th>what was injected<th>number<th>the bar<th><th class=n>seconds"
    title = escape(PARTS.get(letter, letter))
    return f'<h2>{title}</h2><div class="wide"><table><thead>{head}<tbody>{rows}</table></div>'


def _row(claim: Claim) -> str:
    number = "–" if claim["number"] is None else f"{claim['number']:,}" if _is_count(claim) else str(claim["number"])
    note = f"<br>{escape(claim['note'])}" if claim["note"] else ""
    return (
        f"<tr><td><code>{escape(claim['id'])}</code><td>{escape(claim['injected'])}{note}"
        f'<div class="test">{escape(claim["test"])}</div><td>{escape(number)}<td>{escape(claim["bar"])}'
        f'{MARKS[claim["passed"]]}<td class="n">{claim["seconds"]:.1f}'
    )


def _is_count(claim: Claim) -> bool:
    return isinstance(claim["number"], int | float)
