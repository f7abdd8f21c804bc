"""Cookie mode: the refresh token is in the browser's jar, and nowhere else."""

from uuid import UUID

import httpx
import pytest

from authapi.core.context import Context
from authapi.core.driver import Driver
from authapi.core.settings import DAY
from authapi.signin import devices
from tests.api.test_problems_over_http import assert_problem
from tests.conftest import Start
from tests.support.browsers import (
    ALWAYS,
    AS_COOKIE,
    COOKIE,
    DEVICE,
    IN_PRODUCTION,
    PAGE,
    WEEK,
    Page,
    open_browser,
    set_cookie,
    sets_none,
)
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, bearer


def hides_token(page: Page, reply: httpx.Response) -> bool:
    """Neither this refresh token nor another; within a signature the letters come up by chance."""
    return str(page.cookie) not in reply.text and '"rt_' not in reply.text


@pytest.mark.parametrize("way", ["signup", "login"])
async def test_a_sign_in_puts_the_refresh_token_into_a_cookie_that_no_script_can_read(
    browser: httpx.AsyncClient, way: str
) -> None:
    page = Page(browser)
    replies = [await page.enter("signup")] + ([await page.enter("login")] if way == "login" else [])
    reply = replies[-1]
    assert set_cookie(reply) == {*ALWAYS, WEEK}
    assert (page.cookie or "").startswith("rt_")
    assert reply.json()["refresh_token"] is None
    assert hides_token(page, reply)
    assert len(page.csrf_token) == 43
    assert (await browser.get(f"{PREFIX}/session", headers=bearer(page.known["access_token"]))).status_code == 200


async def test_without_the_header_a_sign_in_sets_no_cookie(browser: httpx.AsyncClient) -> None:
    for name in ("signup", "login"):
        reply = await browser.post(f"{PREFIX}/{name}", json=ADA, headers={"Origin": PAGE})
        assert sets_none(reply)
        assert reply.json()["refresh_token"].startswith("rt_")
        assert reply.json()["csrf_token"] is None


async def test_a_refresh_replaces_the_cookie(page: Page) -> None:
    before, csrf_token = page.cookie, page.csrf_token
    reply = await page.refresh()
    assert (reply.status_code, reply.json()["rotation"], reply.json()["refresh_token"]) == (200, "rotated", None)
    assert set_cookie(reply) == {*ALWAYS, WEEK}
    assert page.cookie not in (None, before)
    assert page.csrf_token == csrf_token
    assert hides_token(page, reply)


async def test_a_lost_answer_is_given_again_with_the_same_cookie(page: Page, browser: httpx.AsyncClient) -> None:
    lost = page.cookie
    await page.refresh()
    following = page.cookie
    browser.cookies.set(COOKIE, lost or "", domain="auth.example.com", path="/")
    again = await page.refresh()
    assert again.json()["rotation"] == "replayed"
    assert page.cookie == following


async def test_a_session_that_is_not_remembered_has_a_cookie_that_ends_with_the_browser(
    page: Page, clock: MovedClock
) -> None:
    assert set_cookie(await page.enter("login", remember_me=False)) == ALWAYS
    for _ in range(2):
        clock.advance(hours=23)
        reply = await page.refresh()
        assert (reply.status_code, set_cookie(reply)) == (200, ALWAYS)
    clock.advance(hours=24, seconds=1)
    assert_problem(await page.refresh(), 401, "session_expired")


async def test_a_session_that_is_remembered_keeps_its_cookie_for_as_long_as_it_lives(start: Start) -> None:
    ctx, _ = await start(**IN_PRODUCTION, session_idle_lifetime=3600, session_short_idle_lifetime=3600)
    async with open_browser(ctx) as browser:
        page = Page(browser)
        assert set_cookie(await page.enter("signup", remember_me=True)) == {*ALWAYS, "Max-Age=3600"}
        assert set_cookie(await page.refresh()) == {*ALWAYS, "Max-Age=3600"}
        assert set_cookie(await page.enter("login", remember_me=False)) == ALWAYS
        assert set_cookie(await page.refresh()) == ALWAYS


async def test_a_page_that_was_loaded_anew_gets_its_csrf_token_and_goes_on(page: Page) -> None:
    csrf_token = page.csrf_token
    page.known = {}
    reply = await page.ask_csrf()
    assert (reply.status_code, reply.json()) == (200, {"csrf_token": csrf_token})
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert sets_none(reply)
    page.known = reply.json()
    assert (await page.refresh()).status_code == 200


async def test_a_logout_ends_the_session_and_clears_the_cookie(page: Page, browser: httpx.AsyncClient) -> None:
    old, access_token = page.cookie or "", page.known["access_token"]
    reply = await page.log_out()
    assert (reply.status_code, set_cookie(reply)) == (204, {*ALWAYS, "Max-Age=0"})
    assert page.cookie is None
    assert_problem(await browser.get(f"{PREFIX}/session", headers=bearer(access_token)), 401, "session_ended")
    browser.cookies.set(COOKIE, old, domain="auth.example.com", path="/")
    assert (await page.log_out()).status_code == 204


@pytest.mark.parametrize(("scope", "is_over"), [("this", True), ("others", False), ("all", True)])
async def test_only_a_logout_that_ends_this_session_clears_the_cookie(
    production: Context, page: Page, scope: str, is_over: bool
) -> None:
    async with open_browser(production) as elsewhere:
        other = Page(elsewhere)
        await other.enter("login")
        assert (await page.log_out(scope=scope)).status_code == 204
        assert (page.cookie is None) == is_over
        assert (await other.refresh()).status_code == (200 if scope == "this" else 401)
    assert (await page.refresh()).status_code == (401 if is_over else 200)


async def test_a_session_that_is_over_clears_the_cookie(production: Context, page: Page) -> None:
    async with open_browser(production) as elsewhere:
        other = Page(elsewhere)
        await other.enter("login")
        await other.log_out(scope="all")
    reply = await page.refresh()
    assert_problem(reply, 401, "session_ended")
    assert set_cookie(reply) == {*ALWAYS, "Max-Age=0"}
    for reply in (await page.refresh(), await page.ask_csrf(), await page.log_out()):
        assert_problem(reply, 401, "cookie_missing")
        assert sets_none(reply)


async def test_an_outage_clears_no_cookie(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    cookie = page.cookie
    with monkeypatch.context() as outage:
        outage.setattr(Driver, "row", away)
        reply = await page.refresh()
    assert_problem(reply, 503, "unavailable")
    assert sets_none(reply)
    assert page.cookie == cookie
    assert (await page.refresh()).status_code == 200


async def test_a_refusal_that_is_no_end_clears_no_cookie(page: Page, browser: httpx.AsyncClient) -> None:
    """409: another tab has just stored a newer cookie."""
    oldest = page.cookie or ""
    await page.refresh()
    await page.refresh()
    browser.cookies.set(COOKIE, oldest, domain="auth.example.com", path="/")
    reply = await page.refresh()
    assert_problem(reply, 409, "reload_tokens")
    assert sets_none(reply)


async def test_too_many_refreshes_clear_no_cookie(start: Start) -> None:
    ctx, _ = await start(**IN_PRODUCTION, limits_scale=1, limits={"sessions.refresh": "1/minute"})
    async with open_browser(ctx) as browser:
        page = Page(browser)
        await page.enter("signup")
        assert (await page.refresh()).status_code == 200
        reply = await page.refresh()
    assert_problem(reply, 429, "too_many_requests")
    assert sets_none(reply)


async def test_a_sign_in_gives_another_cookie_and_ends_the_session_whose_place_it_takes(
    page: Page, browser: httpx.AsyncClient
) -> None:
    """OWASP ASVS 7.2.4; also where somebody else signs in at the same browser."""
    await browser.post(f"{PREFIX}/signup", json=BOB)
    for credentials in (ADA, BOB):
        old, access_token = page.cookie, page.known["access_token"]
        await page.enter("login", **credentials)
        assert page.cookie not in (None, old)
        assert_problem(await browser.get(f"{PREFIX}/session", headers=bearer(access_token)), 401, "session_ended")


async def test_a_late_refusal_leaves_the_cookie_that_has_come_meanwhile(
    page: Page, browser: httpx.AsyncClient, production: Context
) -> None:
    """A refresh of another tab, on its way while this one signs in."""
    old = {"Cookie": f"{COOKIE}={page.cookie}", **page.headers()}
    await page.enter("login")
    async with open_browser(production) as empty:
        late = await empty.post(f"{PREFIX}/refresh", headers=old)
    assert_problem(late, 401, "session_ended")
    assert sets_none(late)
    assert (await page.refresh()).status_code == 200


def device_id(ctx: Context, browser: httpx.AsyncClient) -> UUID:
    device = devices.read(ctx.vault.keys(devices.PURPOSE), browser.cookies[DEVICE])
    assert device is not None
    return device.id


async def test_a_browser_that_somebody_signed_in_from_is_known_again_by_a_cookie(
    page: Page, browser: httpx.AsyncClient, production: Context
) -> None:
    """It says who may not be held up by strangers; see `test_failed_sign_ins`."""
    reply = await page.enter("login")
    assert set_cookie(reply, DEVICE) == {*ALWAYS, f"Max-Age={400 * DAY}"}
    assert reply.json()["device_token"] is None
    known, first = browser.cookies[DEVICE], device_id(production, browser)
    await page.log_out(scope="all")
    assert browser.cookies[DEVICE] == known
    await page.enter("login")
    assert device_id(production, browser) == first
    async with open_browser(production) as elsewhere:
        await Page(elsewhere).enter("login")
        assert device_id(production, elsewhere) != device_id(production, browser)


async def test_strangers_do_not_keep_out_a_browser_that_is_known(page: Page, production: Context) -> None:
    async with open_browser(production) as elsewhere:
        for _ in range(7):
            await elsewhere.post(f"{PREFIX}/login", json={**ADA, "password": "not at all the password"})
        headers = {"Origin": PAGE, **AS_COOKIE}
        reply = await elsewhere.post(f"{PREFIX}/login", json=ADA, headers=headers)
        assert_problem(reply, 401, "invalid_credentials")
        assert sets_none(reply)
    assert (await page.enter("login")).status_code == 200


async def test_a_sign_in_that_fails_leaves_the_cookie_and_its_session(page: Page, browser: httpx.AsyncClient) -> None:
    headers = {"Origin": PAGE, **AS_COOKIE}
    wrong = {**ADA, "password": "not at all the password"}
    reply = await browser.post(f"{PREFIX}/login", json=wrong, headers=headers)
    assert_problem(reply, 401, "invalid_credentials")
    assert sets_none(reply)
    assert (await page.refresh()).status_code == 200
