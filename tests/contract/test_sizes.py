"""300 lines a file, 40 a function."""

from pathlib import Path

import pytest

from tests.support.contract.habits import long_files, long_functions
from tests.support.contract.source import ROOT, SOURCE, plant


@pytest.mark.parametrize("root", [SOURCE, ROOT / "tests", ROOT / "migrations"], ids=lambda root: root.name)
def test_no_file_is_long(root: Path) -> None:
    assert long_files(root) == []


def test_no_function_is_long() -> None:
    assert long_functions(SOURCE) == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    found = long_files(plant(tmp_path, {"users/service.py": "x = 1\n" * 301, "users/store.py": "x = 1\n" * 300}))
    assert found == ["users/service.py has 301 lines, 300 at most"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_long_function_is_found(tmp_path: Path, kind: str) -> None:
    text = f"class Users:\n    {kind} add(self):\n" + "        x = 1\n" * 40
    text += f"    {kind} end(self):\n" + "        x = 1\n" * 39
    assert long_functions(plant(tmp_path, {"users/service.py": text})) == [
        "users/service.py:2 add has 41 lines, 40 at most"
    ]
