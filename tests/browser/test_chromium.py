"""Cookie mode in a real browser: our page may, a stranger's may not, on the same site and on another one."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from authapi.core.context import Context
from authapi.core.settings import Settings
from authapi.sessions.models import Session
from authapi.users.models import User
from tests.browser.pages import Host, hosting
from tests.conftest import SECRET
from tests.support.people import ADA, BOB, PREFIX, Person
from tests.support.processes import serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@contextmanager
def browsing(url: str, profile: Path) -> Iterator[None]:
    """A headless Chromium with an empty profile. Ends it with all its processes."""
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
    command = [str(CHROMIUM), *options, "--no-proxy-server", "--mute-audio", f"--user-data-dir={profile}", url]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def service(settings: Settings, app: Host, log: Path) -> Iterator[str]:
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": settings.database_url,
        "AUTHAPI_REDIS_URL": settings.redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
        "AUTHAPI_ALLOWED_ORIGINS": app.origin,
    }
    with serving(environment, log) as url:
        yield url


README = (Path(__file__).parents[2] / "README.md").read_text()

AROUND = """
(async () => {{
  const {{ email, password }} = JSON.parse(told.person);
  const asked = [];
  const really = fetch;
  fetch = async (...what) => {{
    const reply = await really(...what);
    asked.push(reply.status);
    return reply;
  }};
  {block}
  await really("/report", {{ method: "POST", body: JSON.stringify({{ asked }}) }});
}})();
"""


async def test_the_readme_is_right_about_browsers(ctx: Context, ada: Person, tmp_path: Path) -> None:
    (block,) = re.findall(r"```js\n(.*?)```", README, re.DOTALL)
    with ExitStack() as stack:
        app = stack.enter_context(hosting())
        url = stack.enter_context(service(ctx.settings, app, tmp_path / "service.log"))
        app.settings = {"person": json.dumps(ada.credentials)}
        app.scripts = {"readme": AROUND.format(block=block.replace("http://127.0.0.1:8000", url))}
        stack.enter_context(browsing(f"{app.origin}/readme", tmp_path / "profile"))
        assert app.report() == {"asked": [200, 200, 200, 204]}


async def test_only_our_own_page_can_use_the_cookie(ctx: Context, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with ExitStack() as stack:
        app, near, far = (stack.enter_context(hosting()) for _ in range(3))
        url = stack.enter_context(service(ctx.settings, app, log))
        api = f"{url}{PREFIX}"
        told = {"api": api, "person": json.dumps(ADA), "stranger_person": json.dumps(BOB)}
        elsewhere = f"http://localhost:{far.port}"  # another site than 127.0.0.1; another port is the same site
        app.settings = {**told, "stranger": f"{near.origin}/stranger"}
        near.settings = {**told, "next": f"{elsewhere}/stranger"}
        far.settings = {**told, "next": f"{app.origin}/app?again"}
        stack.enter_context(browsing(f"{app.origin}/app", tmp_path / "profile"))
        first, same_site, other_site, again = app.report(), near.report(), far.report(), app.report()
        async with httpx.AsyncClient() as operator:
            counted = (await operator.get(f"{url}/metrics")).text

    assert (first["first"]["status"], first["first"]["body"]["refresh_token"]) == (201, None)
    assert (first["refreshed"]["status"], first["refreshed"]["body"]["rotation"]) == (200, "rotated")
    assert first["cookie"] == again["cookie"] == ""
    assert same_site == other_site == {"read": [], "cookie": ""}
    for path in ("refresh", "logout"):
        assert f'route="{PREFIX}/{path}",status="403"' in counted
    assert (again["first"]["status"], again["refreshed"]["status"], again["loggedOut"]["status"]) == (200, 200, 204)
    assert again["refreshed"]["body"]["rotation"] == "rotated"
    assert (again["after"]["status"], again["after"]["body"]["code"]) == (401, "cookie_missing")
    async with ctx.db() as tx:
        (session,) = (await tx.scalars(select(Session))).all()
        (user,) = (await tx.scalars(select(User))).all()
    assert (session.generation, session.end_reason) == (2, "logout")
    assert user.email == ADA["email"]
    assert "cookies go without Secure" in log.read_text()
