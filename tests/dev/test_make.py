"""The Makefile explains itself, and its bootstrap says what it needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = re.findall(r"^([a-z][a-z-]*):(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "rest"), TARGETS)
def test_a_target_says_what_it_is_for(name: str, rest: str) -> None:
    assert re.search(r"## \S", rest)


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_help_lists_every_target_with_a_line() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make ([a-z-]+) +\S", said, re.MULTILINE)
    assert listed == [name for name, _ in TARGETS]
    assert {"help", "run", "test", "check", "format", "lint", "types", "openapi", "migrate"} <= set(listed)


def test_help_is_what_make_does_when_told_nothing() -> None:
    assert re.search(r"^\.DEFAULT_GOAL := help$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_claim_is_part_of_the_proof() -> None:
    """A test that takes `prove` is run by `make prove`."""
    (proofs,) = re.findall(r"^PROOFS := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    run = [ROOT / each for each in proofs.replace("\\", " ").split()]
    assert [path for path in run if not path.exists()] == []
    claiming = {
        path for path in (ROOT / "tests").rglob("test_*.py") if re.search(r"\bprove: Prove\b", path.read_text())
    }
    assert len(claiming) > 10
    assert {path for path in claiming if not any(path.is_relative_to(each) for each in run)} == set()


def test_without_a_python_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["/bin/sh", ROOT / ".ci" / "bootstrap", "run"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert "Python 3.11" in ran.stderr
