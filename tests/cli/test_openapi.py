"""`authapi openapi`, and how fast help comes."""

import json
import time
from pathlib import Path

from tests.cli.conftest import Call


def test_the_document_needs_no_settings_and_heeds_none(call: Call, outside: dict[str, str]) -> None:
    plain = call("openapi", environment=outside)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout.endswith("}\n")
    assert "/api/v1/auth/login" in json.loads(plain.stdout)["paths"]
    disturbed = outside | {"AUTHAPI_PORT": "nonsense", "AUTHAPI_LIMITS": "{"}
    assert call("openapi", environment=disturbed).stdout == plain.stdout


def test_a_written_document_is_checked(call: Call, outside: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "authapi.json"
    assert call("openapi", "--check", str(path), environment=outside).returncode == 1
    assert call("openapi", "--out", str(path), environment=outside).returncode == 0
    assert call("openapi", "--check", str(path), environment=outside).returncode == 0
    path.write_text(path.read_text().replace("login", "logon", 1))
    differs = call("openapi", "--check", str(path), environment=outside)
    assert (differs.returncode, differs.stderr.count("\n")) == (1, 1)


def test_a_folder_gets_the_whole_reference(call: Call, outside: dict[str, str], tmp_path: Path) -> None:
    assert call("openapi", "--check", str(tmp_path), environment=outside).returncode == 1
    assert call("openapi", "--out", str(tmp_path), environment=outside).returncode == 0
    assert {"authapi.json", "problems.md", "settings.md"} <= {path.name for path in tmp_path.iterdir()}
    assert call("openapi", "--check", str(tmp_path), environment=outside).returncode == 0


def test_a_place_that_cannot_be_written_to_is_told_in_a_sentence(
    call: Call, outside: dict[str, str], tmp_path: Path
) -> None:
    run = call("openapi", "--out", str(tmp_path / "missing" / "x.json"), environment=outside)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)


def test_help_comes_at_once(call_alone: Call, outside: dict[str, str]) -> None:
    times = []
    for _ in range(3):
        began = time.monotonic()
        assert "serve" in call_alone("--help", environment=outside).stdout
        times.append(time.monotonic() - began)
    assert min(times) < 1.0  # about 0.25 on a quiet machine


def test_the_version_is_shown(call_alone: Call, outside: dict[str, str]) -> None:
    assert call_alone("--version", environment=outside).stdout.startswith("authapi ")
