"""The audit events: what is recorded is listed, what is listed is recorded, and `openapi/events.md` says the same."""

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

from authapi import reference
from authapi.audit.service import EVENTS
from tests.support.contract.source import ROOT, SOURCE, modules, plant, uses

RECORDING = {"authapi.audit.service.record": 2, "authapi.audit.service.sql": 0}
"""What records an event, and which of its arguments is the name."""


def faults(root: Path, events: Collection[str]) -> list[str]:
    recorded: set[str] = set()
    found = []
    for module in modules(root):
        used = {
            (line, name.rpartition(".")[2]): RECORDING[name] for line, name in uses(module.tree) if name in RECORDING
        }
        for call in ast.walk(module.tree):
            if not isinstance(call, ast.Call):
                continue
            place = used.get((call.func.lineno, ast.unparse(call.func).rpartition(".")[2]))
            if place is None:
                continue
            where, name = f"{module.path}:{call.lineno}", call.args[place] if len(call.args) > place else None
            if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
                found.append(f"{where} records an event whose name cannot be read here")
            elif name.value not in events:
                found.append(f"{where} records {name.value}, which is not listed")
            else:
                recorded.add(name.value)
    return found + [f"{name} is listed and never recorded" for name in events if name not in recorded]


def test_what_is_recorded_is_listed_and_what_is_listed_is_recorded() -> None:
    assert faults(SOURCE, EVENTS) == []


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ('audit.record(ctx, tx, "planet.lost", client)', "users/service.py:2 records planet.lost, which is not listed"),
        ("audit.record(ctx, tx, name, client)", "users/service.py:2 records an event whose name cannot be read here"),
        ("", "moon.found is listed and never recorded"),
    ],
)
def test_an_event_that_is_only_recorded_or_only_listed_is_found(tmp_path: Path, call: str, fault: str) -> None:
    beginning = "from authapi.audit import service as audit\n"
    known = beginning + 'audit.record(ctx, tx, "moon.found", client)\n' if call else beginning
    planted = plant(tmp_path, {"users/service.py": f"{beginning}{call}\n", "users/rules.py": known})
    assert faults(planted, ["moon.found"]) == [fault]


def test_an_event_in_the_sql_of_a_statement_counts_too(tmp_path: Path) -> None:
    known = 'from authapi.audit import service as audit\nX = audit.sql("moon.found", user="id")\n'
    planted = plant(tmp_path, {"users/store.py": known, "users/service.py": known.replace("moon.found", "planet.lost")})
    assert faults(planted, ["moon.found"]) == ["users/service.py:2 records planet.lost, which is not listed"]


def test_every_event_is_a_thing_and_what_happened_to_it() -> None:
    assert [name for name in EVENTS if not all(map(str.isidentifier, name.split("."))) or name.count(".") != 1] == []


def test_the_page_of_events_is_what_the_code_says() -> None:
    page = (ROOT / "openapi" / "events.md").read_text(encoding="utf-8")
    assert page == reference.events_md()
    assert all(f"| `{name}` | {meaning} |" in page for name, meaning in EVENTS.items())
