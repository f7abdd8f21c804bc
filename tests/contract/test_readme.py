"""The README tells the truth: its commands are run as they stand."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

from authapi.core.settings import Settings
from tests.conftest import SECRET, empty
from tests.support.processes import serving
from tests.support.readme import ADDRESS, README, ROOT, block, with_status


def test_the_five_minutes_work_as_they_are_written(settings: Settings, tmp_path: Path) -> None:
    asyncio.run(empty(settings))
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": settings.database_url,
        "AUTHAPI_REDIS_URL": settings.redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_PUBLIC_URL": ADDRESS,
    }
    with serving(environment, tmp_path / "log") as url:
        script = block("sh", "BASE=").replace(ADDRESS, url)
        done = subprocess.run(
            ["sh", "-e", "-c", with_status(script)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        answers = [line for line in done.stdout.splitlines() if line]
        assert [line for line in answers if not line.startswith("{")] == ["201", "200", "204", "401"]
        last = json.loads([line for line in answers if line.startswith("{")][-1])
        assert (last["code"], last["action"], last["reason"]) == ("session_ended", "reauthenticate", "logout")
        _verify_as_another_service(url, script)


def _verify_as_another_service(url: str, script: str) -> None:
    """The block for other services accepts a token of this service."""
    login = re.search(r"TOKENS=\$\((curl .*? \$BASE/login .*?)\)\n", script)
    assert login
    command = (
        login.group(1).replace("$BASE", f"{url}/api/v1/auth").replace('"$JSON"', "'Content-Type: application/json'")
    )
    reply = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    tokens = json.loads(reply.stdout)
    names: dict[str, object] = {}
    exec(block("python", "import jwt").replace(f"{ADDRESS}/.well-known", f"{url}/.well-known"), names)  # noqa: S102 (our own README)
    verify = names["verify"]
    assert callable(verify)
    assert verify(tokens["access_token"])["sid"] == tokens["session_id"]


def test_every_link_in_the_repository_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert named <= targets
