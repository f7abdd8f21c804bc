"""What a run has proved: every claim with what was injected, the number and the bar; `--prove` writes it to reports/.

A test makes a claim by the fixture `prove`. A claim that its test never came to, because it failed before or was
skipped, is read from the source of the test: it stands in the record all the same.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import pytest

from tests.support.proof_page import page
from tests.support.proof_record import CLAIM, Claim, Record, machine, revision

WORST = ("passed", "skipped", "failed")


class Prove(Protocol):
    """Records the claim and asserts it; `id` begins with the letter of its part of the record, as in `F-kill-app`."""

    def __call__(self, id: str, injected: str, *, number: int | float | str, bar: str, passed: bool) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove", action="store_true", help="run in full what proves something, and write reports/proof.*"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Of several processes, the one that started the run keeps the record."""
    if config.option.prove and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config), "proof")


@pytest.fixture(scope="session")
def is_proof(request: pytest.FixtureRequest) -> bool:
    """Whether this is a run in full; else the short form is wanted, which proves something too."""
    return bool(request.config.option.prove)


@pytest.fixture
def prove(request: pytest.FixtureRequest) -> Prove:
    def prove(id: str, injected: str, *, number: int | float | str, bar: str, passed: bool) -> None:
        _note(request.node, id, injected, number=number, bar=bar, passed=bool(passed))
        assert passed, f"{id}: {injected}: {number}, but the bar is: {bar}"

    return prove


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: pytest.TestReport = yield
    if "prove" not in getattr(item, "fixturenames", ()) or report.when == "teardown":
        return report
    made = {claim["id"] for name, claim in item.user_properties if name == CLAIM and isinstance(claim, dict)}
    if report.when == "call" and report.passed and not made and item.config.option.prove:
        report.outcome, report.longrepr = "failed", "It asked for `prove` and made no claim."
    if not report.passed:
        for id, injected, bar in declared(item):
            if not any(_is_of(id, each) for each in made):
                _note(item, id, injected, bar=bar, passed=None if report.skipped else False, note=_why(report))
    return report


def declared(item: pytest.Item) -> list[tuple[str, str, str]]:
    """Id, injection and bar of each claim in the source of a test; where a helper makes them, one named by the test."""
    function: Any = getattr(item, "function", None)
    found = list(_claims(ast.parse(textwrap.dedent(inspect.getsource(function))))) if function else []
    return found or [(f"{item.path.parent.name[0].upper()}-{item.name.removeprefix('test_')}", "", "")]


def _claims(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "prove" and len(node.args) == 2:
            bar = next((_text(each.value) for each in node.keywords if each.arg == "bar"), "")
            yield _text(node.args[0]), _text(node.args[1]), bar


def _is_of(template: str, id: str) -> bool:
    """Whether a claim with this id was made where the source says `F-kill-{part}`."""
    return re.fullmatch(re.sub(r"\\{.*?\\}", ".*", re.escape(template)), id) is not None


def _text(node: ast.expr) -> str:
    """A string as it is written; what stands in braces stays in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return f"{{{ast.unparse(node.value if isinstance(node, ast.FormattedValue) else node)}}}"


def _why(report: pytest.TestReport) -> str:
    """One line."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).partition("\n")[0][:300]


def _note(item: pytest.Item, id: str, injected: str, **rest: object) -> None:
    claim = {"id": id, "injected": injected, "number": None, "note": None, **rest}
    item.user_properties.append((CLAIM, claim))


class Recorder:
    """Listens to the reports of all workers, and writes the record when they are done."""

    def __init__(self, config: pytest.Config) -> None:
        self.folder = config.rootpath / "reports"
        self.started = datetime.now(UTC)
        self.claims: list[Claim] = []
        self.outcomes: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = "failed"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("@")[0]  # xdist adds the name of the group
        self.outcomes[test] = max(self.outcomes.get(test, "passed"), report.outcome, key=WORST.index)
        self.seconds[test] = self.seconds.get(test, 0.0) + getattr(report, "duration", 0.0)
        if report.when == "teardown":
            seconds = round(self.seconds[test], 2)
            found = [claim for name, claim in report.user_properties if name == CLAIM and isinstance(claim, dict)]
            self.claims += [cast(Claim, {**claim, "test": test, "seconds": seconds}) for claim in found]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        record = Record(
            date=self.started.isoformat(timespec="seconds"),
            revision=revision(session.config.rootpath),
            arguments=list(session.config.invocation_params.args),
            seconds=round((datetime.now(UTC) - self.started).total_seconds(), 1),
            is_complete=exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
            machine=machine(),
            tests={each: list(self.outcomes.values()).count(each) for each in WORST},
            failed_tests=sorted(test for test, outcome in self.outcomes.items() if outcome == "failed"),
            claims=sorted(self.claims, key=lambda claim: (claim["id"], claim["test"])),
        )
        self.folder.mkdir(exist_ok=True)
        (self.folder / "proof.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        (self.folder / "proof.html").write_text(page(record))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        counts = [sum(claim["passed"] is each for claim in self.claims) for each in (True, False, None)]
        terminalreporter.write_sep("=", "proof")
        for claim in self.claims:
            if claim["passed"] is not True:
                said = "not tried" if claim["passed"] is None else "FAILED"
                terminalreporter.line(f"{said}: {claim['id']}: {claim['note'] or claim['number']}")
        terminalreporter.line("{} claims hold, {} failed, {} not tried: reports/proof.html".format(*counts))
