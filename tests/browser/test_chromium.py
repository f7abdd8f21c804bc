"""Cookie mode in a real browser: our page may, a stranger's may not, on the same site and on another one."""

import json
import re
from contextlib import ExitStack
from pathlib import Path

import httpx
from sqlalchemy import select

from authapi.core.context import Context
from authapi.sessions.models import Session
from authapi.users.models import User
from tests.browser.chromium import browsing, needs_chromium, service
from tests.browser.pages import hosting
from tests.support.people import ADA, BOB, PREFIX, Person

pytestmark = needs_chromium

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
        url = stack.enter_context(service(ctx.settings, tmp_path / "service.log", AUTHAPI_ALLOWED_ORIGINS=app.origin))
        app.settings = {"person": json.dumps(ada.credentials)}
        app.scripts = {"readme": AROUND.format(block=block.replace("http://127.0.0.1:8000", url))}
        stack.enter_context(browsing(tmp_path / "profile")).go(f"{app.origin}/readme")
        assert app.report() == {"asked": [200, 200, 200, 204]}


async def test_only_our_own_page_can_use_the_cookie(ctx: Context, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with ExitStack() as stack:
        app, near, far = (stack.enter_context(hosting()) for _ in range(3))
        url = stack.enter_context(service(ctx.settings, log, AUTHAPI_ALLOWED_ORIGINS=app.origin))
        api = f"{url}{PREFIX}"
        told = {"api": api, "person": json.dumps(ADA), "stranger_person": json.dumps(BOB)}
        elsewhere = f"http://localhost:{far.port}"  # another site than 127.0.0.1; another port is the same site
        app.settings = {**told, "stranger": f"{near.origin}/stranger"}
        near.settings = {**told, "next": f"{elsewhere}/stranger"}
        far.settings = {**told, "next": f"{app.origin}/app?again"}
        stack.enter_context(browsing(tmp_path / "profile")).go(f"{app.origin}/app")
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
