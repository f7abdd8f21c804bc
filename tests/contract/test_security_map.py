"""docs/SECURITY.md names tests that there are, and ids as ASVS 5.0 writes them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract.source import ROOT

PAGE = ROOT / "docs" / "SECURITY.md"
NAMED = re.compile(r"`([a-z_/]+\.py)(?:::(\w+))?`")
ROW = re.compile(r"^\| (v\d.*?) \| (.*) \|$", re.MULTILINE)
INVARIANTS = [f"I{number}" for number in range(1, 19)]


def missing(page: str, tests: Path) -> Iterator[str]:
    """What is named below `tests/` and is not there; and rows without any test."""
    for claim, shown in ROW.findall(page):
        if not NAMED.search(shown):
            yield f"{claim}: no test"
    for file, function in NAMED.findall(page.replace("`tests/", "`")):
        path = tests / file
        if not path.is_file():
            yield file
        elif function and function not in functions(path):
            yield f"{file}::{function}"


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_is_named_is_there() -> None:
    page = PAGE.read_text()
    assert len(ROW.findall(page)) > 30
    assert list(missing(page, ROOT / "tests")) == []


def test_an_id_is_mapped_once_and_has_three_parts() -> None:
    named = [each for claim, _ in ROW.findall(PAGE.read_text()) for each in re.findall(r"v[\d.]+", claim)]
    assert [each for each in named if not re.fullmatch(r"v\d{1,2}\.\d{1,2}\.\d{1,2}", each)] == []
    assert len(named) == len(set(named))


def test_every_invariant_is_told() -> None:
    told = {
        f"I{number}"
        for first, last in re.findall(r"I(\d+)(?:–I(\d+))?", PAGE.read_text())
        for number in range(int(first), int(last or first) + 1)
    }
    assert told == set(INVARIANTS)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| v1.2.3 x | `api/test_a.py` |", None),
        ("| v1.2.3 x | `api/test_a.py::test_a` |", None),
        ("| v1.2.3 x | `api/test_a.py::test_b` |", "api/test_a.py::test_b"),
        ("| v1.2.3 x | `api/test_a.py`, `unit/test_b.py` |", "unit/test_b.py"),
        ("| v1.2.3 x | believed |", "v1.2.3 x: no test"),
        ("see `tests/api/test_c.py`", "api/test_c.py"),
    ],
)
def test_a_test_that_is_not_there_is_found(tmp_path: Path, row: str, fault: str | None) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "test_a.py").write_text('async def test_a():\n    """def test_b"""\n')
    assert list(missing(row, tmp_path)) == ([fault] if fault else [])
