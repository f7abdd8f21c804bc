"""The settings: each is explained and in `openapi/settings.md`; only `core/settings.py` reads the environment."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo

from authapi import reference
from authapi.core.settings import Settings
from tests.support.contract.habits import environment
from tests.support.contract.source import ROOT, SOURCE, plant


def unexplained(fields: dict[str, FieldInfo]) -> list[str]:
    return [f"{name} has no description" for name, field in fields.items() if len(field.description or "") < 10]


class Planted(Settings):
    planet: int = Field(3, ge=1, le=9)
    moon_secret: SecretStr = Field(SecretStr("the dark side"), description="Who knows it may land.")
    moons: tuple[str, ...] | None = Field(None, description="Their names, or none.")


def test_every_setting_is_explained() -> None:
    assert unexplained(Settings.model_fields) == []


def test_a_setting_that_is_not_explained_is_found() -> None:
    assert unexplained(Planted.model_fields) == ["planet has no description"]


def test_the_page_of_settings_is_what_the_code_says() -> None:
    page = (ROOT / "openapi" / "settings.md").read_text(encoding="utf-8")
    assert page == reference.settings_md()
    assert all(f"`AUTHAPI_{name.upper()}`" in page for name in Settings.model_fields)


def test_a_new_setting_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference.settings_md()
    monkeypatch.setattr(reference, "Settings", Planted)
    added = reference.settings_md().removeprefix(before).splitlines()
    assert added == [
        "| `AUTHAPI_PLANET` | integer from 1 to 9 | `3` |  |",
        "| `AUTHAPI_MOON_SECRET` | secret | not shown | Who knows it may land. |",
        "| `AUTHAPI_MOONS` | list | unset | Their names, or none. |",
    ]


def test_nothing_else_reads_the_environment() -> None:
    assert environment(SOURCE) == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("import os\nos.environ['AUTHAPI_ENV']", "os.environ"),
        ("from os import environ as e\ne.get('AUTHAPI_ENV')", "os.environ"),
        ("import os\nos.getenv('AUTHAPI_ENV')", "os.getenv"),
    ],
)
def test_a_module_that_reads_the_environment_is_found(tmp_path: Path, line: str, named: str) -> None:
    found = environment(plant(tmp_path, {"users/service.py": line, "core/settings.py": line}), {})
    assert found == [f"users/service.py:2 reads {named}; only core/settings.py does"]
