"""The run as a page with plots: inline SVG, no script, nothing loaded from elsewhere."""

from html import escape

from benchmarks.bars import all_bars, thrift
from benchmarks.report import HEADINGS
from benchmarks.results import Results
from benchmarks.tables import number

WIDTH, LABEL, ROW = 760, 170, 24
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2em auto; padding: 0 1em }
body { color: #222; background: #fff }
svg { width: 100%; height: auto } text { font: 13px system-ui, sans-serif; fill: currentColor }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2em .6em; border-bottom: 1px solid #8884 }
.us { fill: #0b6e4f } .bare { fill: #999 } .peer { fill: #4a7fb5 } .no { color: #b00020; font-weight: bold }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } .no { color: #ff7a7a } }
"""


def html(results: Results) -> str:
    plots = "".join(_operation(results, name) for name in HEADINGS if results.samples.get(name))
    memory = {name: size / 2**20 for name, size in results.after.items()}
    cold = {name: 1000 * sorted(each)[len(each) // 2] for name, each in results.cold.items()}
    plots += f"<h2>Memory after load, MiB</h2>{_plot(results, memory)}<h2>Cold start, ms</h2>{_plot(results, cold)}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>How fast authapi is</title><style>{STYLE}</style><h1>How fast authapi is</h1>"
        f"<p>Measured {escape(results.date)} on {escape(results.machine.get('processor', ''))}, one core a server. "
        "Bars show requests for each second of the server's CPU time, so longer is better; beside them requests a "
        f"second, p50 and p99. The tables are in report.md.</p>{plots}{_bars(results)}</html>\n"
    )


def _operation(results: Results, operation: str) -> str:
    values, notes = {}, {}
    for name in results.samples[operation]:
        if found := results.median(operation, name):
            values[name] = thrift(found)
            notes[name] = f"{number(found.rate)}/s, {found.p50:.1f} and {found.p99:.1f} ms"
    return f"<h2>{escape(HEADINGS[operation])}</h2>{_plot(results, values, notes)}"


def _plot(results: Results, values: dict[str, float], notes: dict[str, str] | None = None) -> str:
    """One horizontal bar a contestant."""
    longest = max(values.values(), default=0) or 1
    room = WIDTH - LABEL - 260
    rows = []
    for place, (name, value) in enumerate(values.items()):
        y, length = place * ROW, room * value / longest
        kind = "us" if name.startswith("authapi") else "bare" if name == "bare" else "peer"
        note = f" · {notes[name]}" if notes and name in notes else ""
        rows.append(
            f'<text x="0" y="{y + 16}">{escape(results.titles[name])}</text>'
            f'<rect class="{kind}" x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}"/>'
            f'<text x="{LABEL + length + 6:.1f}" y="{y + 16}">{number(value)}{escape(note)}</text>'
        )
    return f'<svg viewBox="0 0 {WIDTH} {len(values) * ROW + 4}" role="img">{"".join(rows)}</svg>'


def _bars(results: Results) -> str:
    marks = {True: "<td>yes", False: '<td class="no">no', None: "<td>–"}
    rows = "".join(
        f"<tr><td>{escape(bar.area)}<td>{escape(bar.asked)}<td>{escape(bar.measured)}{marks[bar.passed]}"
        for bar in all_bars(results)
    )
    return f"<h2>The bars</h2><table><tr><th><th>asked<th>measured<th>reached{rows}</table>"
