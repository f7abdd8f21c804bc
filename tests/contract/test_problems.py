"""The problems: each has its own code, tells what to do, stands in `openapi/problems.md`, is obtained by a test."""

from pathlib import Path

import pytest

from authapi import reference
from tests.support.contract.refusals import faults, unobtained
from tests.support.contract.source import ROOT, plant

CODES = [problem.code for problem in reference.problems()]


def a_problem(**parts: object) -> type:
    return type("Planet", (), {"code": "planet", "status": 409, "title": "It turns.", "action": "retry"} | parts)


def test_every_problem_is_whole_and_has_its_own_code() -> None:
    assert faults(reference.problems()) == []
    assert len(CODES) > 20


def test_a_code_that_two_problems_share_is_found() -> None:
    assert faults([a_problem(), a_problem()]) == ["planet is the code of 2 problems"]


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ({"code": "PlanetLost"}, "not snake_case"),
        ({"code": None}, "has no code"),
        ({"title": ""}, "has no title"),
        ({"action": None}, "has no action"),
        ({"action": "despair"}, "which clients do not know"),
        ({"status": 200}, "has the status 200"),
        ({"action": "reauthenticate"}, "with status 409: only a 401 may"),
        ({"bearer": "invalid_token"}, "WWW-Authenticate with status 409"),
    ],
)
def test_a_problem_that_is_not_whole_is_found(part: dict[str, object], fault: str) -> None:
    (found,) = faults([a_problem(), a_problem(code="moon"), type("Broken", (a_problem(code="sun"),), part)])
    assert found.startswith("Broken")
    assert fault in found


def test_every_problem_is_obtained_by_some_test() -> None:
    assert unobtained(CODES, ROOT / "tests") == []


def test_a_problem_that_no_test_obtains_is_found(tmp_path: Path) -> None:
    tests = {"api/test_moons.py": 'assert code == "moon_lost"', "contract/test_problems.py": '"planet_lost"'}
    assert unobtained(["moon_lost", "planet_lost"], plant(tmp_path, tests), {}) == ["no test obtains planet_lost"]


def test_a_problem_without_a_test_needs_a_reason_only_as_long_as_it_has_none(tmp_path: Path) -> None:
    root = plant(tmp_path, {"api/test_moons.py": 'assert code == "moon_lost"'})
    allowed = {"moon_lost": "it was hard once", "planet_lost": "it is hard"}
    found = unobtained(["moon_lost", "planet_lost"], root, allowed)
    assert found == ["moon_lost is allowed to be without a test, and has one"]


def test_the_page_of_problems_is_what_the_code_says() -> None:
    assert (ROOT / "openapi" / "problems.md").read_text(encoding="utf-8") == reference.problems_md()


def test_the_page_says_which_calls_answer_with_a_problem() -> None:
    rows = [line for line in reference.problems_md().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(CODES)
    (taken,) = [row for row in rows if row.startswith("| `email_taken` | 409 | `fix_request` |")]
    assert taken.endswith("| `signup` |")


@pytest.mark.parametrize("name", list(reference.PAGES))
def test_a_page_that_is_out_of_date_or_missing_is_found(tmp_path: Path, name: str) -> None:
    reference.write(tmp_path)
    assert reference.check(tmp_path) == []
    page = tmp_path / name
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    page.write_text("".join([*lines[:2], "planet\n", *lines[3:]]), encoding="utf-8")
    (found,) = reference.check(tmp_path)
    assert found.startswith(f"{name}:3 is 'planet' but should be ")
    page.unlink()
    assert reference.check(tmp_path) == [f"{name} is missing: run `make openapi`"]
