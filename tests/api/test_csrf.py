"""What a hostile page can make a browser do with somebody's cookie: nothing."""

import random
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from authapi.core.context import Context
from tests.api.test_problems_over_http import assert_problem
from tests.conftest import SECRET, Start
from tests.support.browsers import (
    AS_COOKIE,
    COOKIE,
    IN_PRODUCTION,
    PAGE,
    SERVICE,
    Page,
    open_browser,
    sets_none,
)
from tests.support.contract import leaks
from tests.support.people import ADA, BOB, PREFIX, bearer

HOSTILE: list[list[tuple[str, str]]] = [
    [],
    *([("Origin", origin)] for origin in ("null", "", "*", "https://evil.example", "file://", "https://example.com")),
    *([("Origin", f"{PAGE}{suffix}")] for suffix in (".evil.example", ":444", ":443", "/", "/x", " ", "@evil.example")),
    *(
        [("Origin", f"https://{host}")]
        for host in ("xapp.example.com", "app.example.co", "APP.example.com", "pp.example")
    ),
    *([("Origin", f"{scheme}://app.example.com")] for scheme in ("http", "HTTPS", "wss", "file")),
    [("Origin", f"{PAGE}, https://evil.example")],
    [("Origin", f"https://evil.example {PAGE}")],
    [("Origin", PAGE), ("Origin", "https://evil.example")],
    [("Origin", PAGE), ("Origin", PAGE)],
    *([("Sec-Fetch-Site", site)] for site in ("same-site", "cross-site", "none", "same-origin, cross-site", "")),
    [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
    [("Referer", f"{PAGE}/"), ("Host", "auth.example.com")],
]
OURS: list[list[tuple[str, str]]] = [
    [("Origin", PAGE)],
    [("Origin", SERVICE)],
    [("Origin", PAGE), ("Sec-Fetch-Site", "same-site")],
    [("Sec-Fetch-Site", "same-origin")],
]


@dataclass(frozen=True)
class Use:
    """A call that changes something by the cookie alone."""

    path: str
    body: dict[str, Any] | None = None

    async def make(self, browser: httpx.AsyncClient, *headers: tuple[str, str]) -> httpx.Response:
        return await browser.post(f"{PREFIX}{self.path}", json=self.body, headers=list(headers))


USES = [
    Use("/refresh"),
    Use("/refresh", {"refresh_token": None}),
    Use("/logout"),
    Use("/logout", {"scope": "others"}),
    Use("/logout", {"scope": "all"}),
]


@pytest.fixture
async def wrong(page: Page, production: Context) -> dict[str, list[tuple[str, str]]]:
    """CSRF tokens that are not this session's, Bob's and another one of Ada's among them."""
    good, found = page.csrf_token, []
    for name, credentials in (("signup", BOB), ("login", ADA)):
        async with open_browser(production) as elsewhere:
            other = Page(elsewhere)
            await other.enter(name, **credentials)
            found.append(other.csrf_token)
    near = [good[:-1], f"{good}=", f"{good}A", good.swapcase(), "A" * 43, "", "null", f"{good} {good}"]
    return {
        "without": [],
        **{f"wrong: {number}": [("X-CSRF-Token", token)] for number, token in enumerate([*found, *near])},
        "twice": [("X-CSRF-Token", good), ("X-CSRF-Token", good)],
    }


async def state(ctx: Context) -> dict[str, str]:
    return {**await leaks.tables(ctx), **await leaks.redis(ctx)}


@pytest.mark.parametrize("use", USES, ids=str)
async def test_only_our_pages_with_the_token_of_the_session_may_use_the_cookie(
    production: Context, page: Page, wrong: dict[str, list[tuple[str, str]]], use: Use
) -> None:
    right = {"right": [("X-CSRF-Token", page.csrf_token)]}
    cookie, before = page.cookie, await state(production)
    pairs = [(origin, token) for origin in HOSTILE for token in (right | wrong).values()]
    pairs += [(origin, token) for origin in OURS for token in wrong.values()]
    assert len(pairs) > 400
    for origin, token in pairs:
        reply = await use.make(page.browser, *origin, *token)
        assert_problem(reply, 403, "csrf_failed")
        assert sets_none(reply)
    assert page.cookie == cookie
    assert await state(production) == before


@pytest.mark.parametrize("use", USES, ids=str)
@pytest.mark.parametrize("origin", OURS, ids=str)
async def test_our_pages_may(page: Page, use: Use, origin: list[tuple[str, str]]) -> None:
    reply = await use.make(page.browser, *origin, ("X-CSRF-Token", page.csrf_token))
    assert reply.is_success
    assert sets_none(reply) == (use.body == {"scope": "others"})


async def test_an_answer_says_which_of_the_two_is_missing(page: Page) -> None:
    origin, token = ("Origin", PAGE), ("X-CSRF-Token", page.csrf_token)
    replies = [await USES[0].make(page.browser, *headers) for headers in ((token,), (origin,))]
    assert "AUTHAPI_ALLOWED_ORIGINS" in replies[0].json()["detail"]
    assert "X-CSRF-Token" in replies[1].json()["detail"]
    assert {reply.json()["action"] for reply in replies} == {"fix_request"}


@pytest.mark.parametrize("origin", HOSTILE, ids=str)
async def test_no_other_page_learns_the_token(page: Page, origin: list[tuple[str, str]]) -> None:
    reply = await page.browser.get(f"{PREFIX}/csrf", headers=origin)
    assert_problem(reply, 403, "csrf_failed")
    assert page.csrf_token not in reply.text


@pytest.mark.parametrize("origin", OURS, ids=str)
async def test_our_pages_learn_it(page: Page, origin: list[tuple[str, str]]) -> None:
    reply = await page.browser.get(f"{PREFIX}/csrf", headers=origin)
    assert reply.json() == {"csrf_token": page.csrf_token}


@pytest.mark.parametrize("name", ["signup", "login"])
async def test_no_other_page_signs_a_person_in(production: Context, page: Page, name: str) -> None:
    """Login CSRF: a person would go on as somebody else."""
    credentials = ADA if name == "login" else BOB
    before = await state(production)
    for origin in HOSTILE:
        headers = [*origin, *AS_COOKIE.items()]
        reply = await page.browser.post(f"{PREFIX}/{name}", json=credentials, headers=headers)
        assert_problem(reply, 403, "csrf_failed")
        assert sets_none(reply)
    assert await state(production) == before


@pytest.mark.parametrize("origin", OURS, ids=str)
async def test_our_pages_sign_a_person_in(browser: httpx.AsyncClient, origin: list[tuple[str, str]]) -> None:
    for name in ("signup", "login"):
        headers = [*origin, *AS_COOKIE.items()]
        reply = await browser.post(f"{PREFIX}/{name}", json=ADA, headers=headers)
        assert reply.is_success
        assert not sets_none(reply)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_form_can_send_is_refused(production: Context, page: Page, media_type: str) -> None:
    """A form on any page sends these without asking first; even from our own origin, and with the right token."""
    before = await state(production)
    content = b'{"email": "ada@example.com", "password": "correct horse battery staple", "x": "="}'
    for path in ("signup", "login", "refresh", "logout"):
        for origin in ("https://evil.example", PAGE):
            headers = {**page.headers(), "Origin": origin, "Content-Type": media_type}
            reply = await page.browser.post(f"{PREFIX}/{path}", content=content, headers=headers)
            assert_problem(reply, 415, "unsupported_media_type")
            assert sets_none(reply)
    assert await state(production) == before


@pytest.mark.parametrize("path", ["refresh", "logout", "signup", "login"])
async def test_a_link_or_an_image_changes_nothing(page: Page, path: str) -> None:
    for method in ("GET", "HEAD"):
        reply = await page.browser.request(method, f"{PREFIX}/{path}", headers=page.headers())
        assert reply.status_code == 405
        assert sets_none(reply)


async def test_tokens_that_no_browser_sends_by_itself_need_no_proof(page: Page, browser: httpx.AsyncClient) -> None:
    """Whoever knows a token has more than a cookie that comes along."""
    tokens = (await browser.post(f"{PREFIX}/login", json=ADA)).json()
    for origin in ([], [("Origin", "https://evil.example")]):
        body = {"refresh_token": tokens["refresh_token"]}
        reply = await browser.post(f"{PREFIX}/refresh", json=body, headers=origin)
        assert reply.status_code == 200
        tokens = reply.json()
    headers = {"Origin": "https://evil.example", **bearer(tokens["access_token"])}
    assert (await browser.post(f"{PREFIX}/logout", headers=headers)).status_code == 204
    assert (await page.refresh()).status_code == 200


async def test_the_token_is_good_under_an_earlier_secret(start: Start, page: Page) -> None:
    """Nobody is thrown off a page while AUTHAPI_SECRET is rotated."""
    secrets = {"secret": SecretStr("another root secret of the tests, 98765"), "earlier_secrets": (SecretStr(SECRET),)}
    ctx, _ = await start(**IN_PRODUCTION, **secrets)
    async with open_browser(ctx) as browser:
        browser.cookies.set(COOKIE, page.cookie or "", domain="auth.example.com", path="/")
        rotated = Page(browser, dict(page.known))
        reply = await rotated.refresh()
    assert reply.status_code == 200
    assert reply.json()["csrf_token"] != page.csrf_token


async def test_two_thousand_mangled_cookies_change_nothing(production: Context, page: Page) -> None:
    good = (page.cookie or "").encode()
    before = await state(production)
    chance = random.Random(6265)  # noqa: S311 (it shall be the same each time)
    page.browser.cookies.clear()
    for _ in range(2000):
        cookie = mangled(good, chance)
        if cookie.strip() == good or cookie.strip() == good.removesuffix(b".remembered"):
            continue
        headers = [(name.encode(), value.encode()) for name, value in page.headers().items()]
        headers.append((b"Cookie", f"{COOKIE}=".encode() + cookie))
        reply = await page.browser.post(f"{PREFIX}{chance.choice(('/refresh', '/logout'))}", headers=headers)
        assert reply.status_code in (400, 401)
    assert await state(production) == before


def mangled(cookie: bytes, chance: random.Random) -> bytes:
    """One to three bytes changed, left out, added or doubled; anything that HTTP lets through in a header."""
    text = bytearray(cookie)
    for _ in range(chance.randint(1, 3)):
        at, byte = chance.randrange(len(text)), chance.choice([*range(0x20, 0x7F), *range(0x80, 0x100)])
        match chance.randrange(4):
            case 0:
                text[at] = byte
            case 1:
                del text[at]
            case 2:
                text.insert(at, byte)
            case _:
                text[at:at] = text[at : at + chance.randint(1, 40)]
    return bytes(text)
