"""The second walk of the README, pasted into a shell beside a real `authapi dev`."""

import json
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.dev.conftest import PATIENCE, Dev
from tests.support.readme import ADDRESS, block, with_status


@pytest.mark.skipif(not shutil.which("curl"), reason="the lines need curl")
def test_mail_a_forgotten_password_and_two_devices_work_as_they_are_written(dev: Callable[..., Dev], port: int) -> None:
    it = dev(port).up()
    begun = block("sh", "BASE=").replace(ADDRESS, f"http://127.0.0.1:{port}").partition("\n\n")[0]
    script = f"{begun}\n{with_status(block('sh', 'EMAIL='))}"
    done = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line]
    assert [line for line in lines if not line.startswith("{")] == ["201", "200", "202", "204", "200", "204", "401"]
    signed_up, verified, _, listed, ended = (json.loads(line) for line in lines if line.startswith("{"))
    assert (verified["status"], verified["email"]) == ("verified", signed_up["user"]["email"])
    assert [each["device"] for each in listed["sessions"]] == ["Firefox on Linux", "Chrome on Android"]
    assert (ended["code"], ended["reason"]) == ("session_ended", "ended_elsewhere")
    subjects = [each["subject"] for each in it.get("/dev/inbox/messages").json()]
    assert {"Confirm your e-mail address", "Choose a new password"} <= set(subjects)
