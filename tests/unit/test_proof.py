"""The record of a proof hides nothing: what failed, what never came so far and what was not tried stand in it."""

import json
from pathlib import Path
from typing import cast

import pytest

from tests.support.contract.source import ROOT
from tests.support.proof_page import page
from tests.support.proof_record import Claim, Record

pytest_plugins = ["pytester"]

CLAIMS = """
import pytest

NAME = "<b>Valkey</b>"

@pytest.fixture
def balancer():
    pytest.skip("haproxy is not installed")

def test_holds(prove, is_proof):
    prove("F-kill", f"kill -9 of {NAME}", number=1200, bar="0 lost", passed=True)
    assert is_proof

@pytest.mark.parametrize("part", ["stall"])
def test_fails(prove, part):
    prove(f"F-{part}", "SIGSTOP", number=3, bar="0 lost", passed=False)
    prove("F-after", f"{NAME} gone", number=0, bar="none", passed=True)

def test_breaks(prove):
    assert 1 == 2, "no answer"
    prove("H-forged", "forged tokens", number=0, bar="0 accepted", passed=True)

def test_is_skipped(balancer, prove):
    prove("C-balancer", "two machines", number=0, bar="0 failed", passed=True)

def test_claims_nothing(prove):
    assert prove

def test_without_a_claim():
    assert NAME
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> tuple[pytest.RunResult, Path]:
    pytester.makepyfile(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what the claims below do without takes seconds to load
        patch.setenv("PYTHONPATH", str(ROOT))
        result = pytester.runpytest_subprocess("-p", "xdist", "-p", "tests.support.proof", *options)
    return result, pytester.path / "reports"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_every_claim_is_on_record_whatever_becomes_of_its_test(pytester: pytest.Pytester, workers: str) -> None:
    result, reports = run(pytester, CLAIMS, "--prove", "-n", workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    record: Record = json.loads((reports / "proof.json").read_text())
    claims = {claim["id"]: claim for claim in record["claims"]}
    assert {id: claim["passed"] for id, claim in claims.items()} == {
        "F-kill": True,
        "F-stall": False,
        "F-after": False,
        "H-forged": False,
        "C-balancer": None,
        claims_nothing(record): False,
    }
    assert (claims["F-kill"]["number"], claims["F-kill"]["injected"]) == (1200, "kill -9 of <b>Valkey</b>")
    assert (claims["F-after"]["number"], claims["F-after"]["injected"]) == (None, "{NAME} gone")
    assert "no answer" in str(claims["H-forged"]["note"])
    assert claims["C-balancer"]["note"] == "haproxy is not installed"
    assert claims["C-balancer"]["bar"] == "0 failed"
    assert claims["F-kill"]["test"].endswith("::test_holds")
    assert record["tests"] == {"passed": 2, "skipped": 1, "failed": 3}
    assert len(record["failed_tests"]) == 3
    assert record["is_complete"]
    assert {"cores", "Python", "Postgres", "Valkey"} <= set(record["machine"])
    result.stdout.fnmatch_lines(["not tried: C-balancer: haproxy is not installed", "1 claims hold, 4 failed, 1 not*"])


def claims_nothing(record: Record) -> str:
    (id,) = (claim["id"] for claim in record["claims"] if claim["test"].endswith("::test_claims_nothing"))
    return id


def test_without_the_option_a_claim_is_tested_and_nothing_is_written(pytester: pytest.Pytester) -> None:
    result, reports = run(pytester, CLAIMS, "-n", "0")
    result.assert_outcomes(passed=2, failed=3, skipped=1)
    result.stdout.fnmatch_lines(["*F-stall: SIGSTOP: 3, but the bar is: 0 lost"])
    assert not reports.exists()


def test_a_run_that_is_broken_off_says_so(pytester: pytest.Pytester) -> None:
    _, reports = run(pytester, "import pytest\ndef test_stops():\n    pytest.exit('enough')", "--prove", "-n", "0")
    assert "This run was broken off" in (reports / "proof.html").read_text()


def test_a_file_that_cannot_be_collected_is_a_failure(pytester: pytest.Pytester) -> None:
    result, reports = run(pytester, "import nothing_of_that_name", "--prove", "-n", "0")
    assert result.ret != pytest.ExitCode.OK
    assert len(json.loads((reports / "proof.json").read_text())["failed_tests"]) == 1


def test_the_page_needs_nothing_else_and_escapes_what_it_is_told() -> None:
    hostile = '<script>alert("1")</script>&'
    texts = dict.fromkeys(("id", "injected", "number", "bar", "note", "test"), hostile)
    claim = cast(Claim, {**texts, "id": f"F{hostile}", "passed": None, "seconds": 1.0})
    html = page(
        Record(
            date=hostile,
            revision=hostile,
            arguments=[hostile],
            seconds=60,
            is_complete=True,
            machine=dict.fromkeys(("system", "cores", "Python", "Postgres", "Valkey"), hostile),
            tests={"passed": 1, "skipped": 0, "failed": 1},
            failed_tests=[hostile],
            claims=[claim, {**claim, "id": "M-1", "passed": True, "number": 200_000, "note": None}],
        )
    )
    assert "<script" not in html
    assert "http" not in html
    assert "src=" not in html
    assert html.count("&lt;script&gt;alert") >= 10
    assert "200,000" in html
    assert html.index("Faults") < html.index("The model")
