"""Which cookies count, under which name, and where they may go: RFC 6265bis."""

import httpx
import pytest

from authapi.core.context import Context
from tests.api.test_problems_over_http import assert_problem
from tests.conftest import Start
from tests.support.browsers import (
    ALWAYS,
    COOKIE,
    PAGE,
    WEEK,
    Page,
    open_browser,
    set_cookie,
    sets_none,
)
from tests.support.contract import leaks
from tests.support.people import ADA, PREFIX, bearer


@pytest.mark.parametrize("modes", [["Cookie"], ["cookies"], [""], ["body"], ["cookie", "cookie"]], ids=str)
async def test_a_mode_that_does_not_exist_is_refused(browser: httpx.AsyncClient, modes: list[str]) -> None:
    headers = [("Origin", PAGE), *(("X-Auth-Mode", mode) for mode in modes)]
    reply = await browser.post(f"{PREFIX}/signup", json=ADA, headers=headers)
    assert_problem(reply, 400, "malformed_request")
    assert (await browser.post(f"{PREFIX}/login", json=ADA)).status_code == 401


async def test_a_cookie_that_is_not_ours_is_cleared(browser: httpx.AsyncClient) -> None:
    page = Page(browser, {"csrf_token": "x"})
    for ask in (page.refresh, page.ask_csrf, page.log_out):
        browser.cookies.set(COOKIE, "rt_nothing", domain="auth.example.com", path="/")
        reply = await ask()
        assert_problem(reply, 401, "invalid_token")
        assert page.cookie is None


async def test_a_cookie_that_stands_twice_is_refused(page: Page, browser: httpx.AsyncClient) -> None:
    """Of two cookies of one name, one was planted: nobody knows which (cookie tossing)."""
    good = page.cookie or ""
    browser.cookies.clear()
    for first, second in ((good, good), (good, "rt_planted"), ("", good)):
        for lines in ([f"{COOKIE}={first}; {COOKIE}={second}"], [f"{COOKIE}={first}", f"{COOKIE}={second}"]):
            headers = [*page.headers().items(), *(("Cookie", line) for line in lines)]
            for path in ("refresh", "logout"):
                reply = await browser.post(f"{PREFIX}/{path}", headers=headers)
                assert_problem(reply, 400, "malformed_request")
                assert sets_none(reply)
            assert (await browser.get(f"{PREFIX}/csrf", headers=headers)).status_code == 400
    browser.cookies.set(COOKIE, good, domain="auth.example.com", path="/")
    assert (await page.refresh()).status_code == 200


@pytest.mark.parametrize(
    "line",
    [
        *("={name}={value}", "{lower}={value}", "{name} x={value}", '{name}="{value}"', "x{name}={value}"),
        *("authapi_rt={value}", "__Secure-authapi_rt={value}", "{name}", "{name};{value}", "{name}%3D{value}"),
    ],
)
async def test_only_the_cookie_of_exactly_that_name_counts(page: Page, browser: httpx.AsyncClient, line: str) -> None:
    value = page.cookie or ""
    browser.cookies.clear()
    headers = {**page.headers(), "Cookie": line.format(name=COOKIE, lower=COOKIE.lower(), value=value)}
    reply = await browser.post(f"{PREFIX}/refresh", headers=headers)
    assert_problem(reply, 401, "invalid_token" if line.startswith("{name}=") else "cookie_missing")


async def test_other_cookies_do_no_harm(page: Page, browser: httpx.AsyncClient) -> None:
    value = page.cookie or ""
    browser.cookies.clear()
    lines = ["a=1;b", f' c="x;  {COOKIE} = {value} ;d=\xe4', "e=;;=;"]
    headers = [(name.encode(), value.encode()) for name, value in page.headers().items()]
    headers += [(b"Cookie", line.encode("latin-1")) for line in lines]
    assert (await browser.post(f"{PREFIX}/refresh", headers=headers)).status_code == 200


async def test_a_token_in_the_body_goes_before_the_cookie_and_leaves_it_alone(
    page: Page, browser: httpx.AsyncClient
) -> None:
    other = (await browser.post(f"{PREFIX}/login", json=ADA)).json()
    reply = await browser.post(f"{PREFIX}/refresh", json={"refresh_token": other["refresh_token"]})
    assert (reply.status_code, reply.json()["session_id"]) == (200, other["session_id"])
    assert sets_none(reply)
    body = {"refresh_token": reply.json()["refresh_token"]}
    for reply in (
        await browser.post(f"{PREFIX}/logout", json=body),
        await browser.post(f"{PREFIX}/logout", headers=bearer(other["access_token"])),
    ):
        assert reply.status_code == 204
        assert sets_none(reply)
    reply = await browser.post(f"{PREFIX}/refresh", json={"refresh_token": "rt_x"})
    assert_problem(reply, 401, "invalid_token")
    assert sets_none(reply)
    assert (await page.refresh()).status_code == 200


async def test_without_any_token_a_refresh_says_what_is_missing(production: Context) -> None:
    async with open_browser(production) as browser:
        for body in (None, {}, {"refresh_token": None}):
            reply = await browser.post(f"{PREFIX}/refresh", headers={"Origin": PAGE}, json=body)
            assert_problem(reply, 422, "invalid_request")
            assert reply.json()["errors"] == [{"pointer": "/refresh_token", "message": "Field required"}]
        assert_problem(await browser.post(f"{PREFIX}/logout", headers={"Origin": PAGE}), 401, "token_missing")


@pytest.mark.parametrize("planted", ["x", "rt_" + "A" * 100, ""])
async def test_a_planted_cookie_does_not_survive_a_sign_in(browser: httpx.AsyncClient, planted: str) -> None:
    browser.cookies.set(COOKIE, planted, domain="auth.example.com", path="/")
    page = Page(browser)
    await page.enter("signup")
    assert page.cookie != planted
    assert (await page.refresh()).status_code == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
async def test_in_development_on_this_machine_the_cookie_goes_over_plain_http(start: Start, url: str) -> None:
    ctx, _ = await start(env="development", public_url=url)
    async with open_browser(ctx, url) as browser:
        page = Page(browser, origin=url)
        reply = await page.enter("signup")
        assert set_cookie(reply, "authapi_rt") == {*ALWAYS, WEEK} - {"Secure"}
        assert (await page.refresh()).status_code == 200
        assert (await page.log_out()).status_code == 204
        assert set(browser.cookies) == {"authapi_device"}


@pytest.mark.parametrize(
    "changes",
    [
        {"env": "development", "public_url": "https://localhost:8443"},
        {"env": "development", "public_url": "http://auth.example.com"},
        {"env": "development", "public_url": "http://localhost.example.com"},
        {"env": "production", "public_url": "https://127.0.0.1"},
    ],
    ids=str,
)
async def test_anywhere_else_the_cookie_is_secure(start: Start, changes: dict[str, str]) -> None:
    ctx, _ = await start(**changes)
    async with open_browser(ctx) as browser:
        assert set_cookie(await Page(browser).enter("signup")) == {*ALWAYS, WEEK}


async def test_the_cookie_and_the_csrf_token_rest_nowhere(production: Context, page: Page) -> None:
    await page.refresh()
    secrets = {"the cookie": (page.cookie or "").removesuffix(".remembered"), "the CSRF token": page.csrf_token}
    places = {**await leaks.tables(production), **await leaks.redis(production), **await leaks.metrics(page.browser)}
    assert leaks.found(secrets, places) == []
