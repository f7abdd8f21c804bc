"""A browser's cookie acts for nobody but our own pages, at every route that changes something (ASVS 5.0 v3.5).

`tests/api/test_csrf.py` tries each way to ask at the routes that use the cookie, `tests/browser` in a real browser;
here it is held that those are all such routes, and that at the others the cookie makes no difference.
"""

from itertools import product

import httpx
import pytest

from authapi.core.context import Context
from tests.api.test_csrf import HOSTILE, USES
from tests.support.browsers import COOKIE, PAGE, Page, open_browser, sets_none
from tests.support.contract import leaks
from tests.support.hostile.document import CHANGING, Operation
from tests.support.people import PREFIX
from tests.support.proof import Prove

USING = [operation for operation in CHANGING if "X-CSRF-Token" in operation.headers]
ENTERING = [operation for operation in CHANGING if "X-Auth-Mode" in operation.headers]
OTHERS = [operation for operation in CHANGING if operation not in (*USING, *ENTERING)]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY", "PROPFIND")
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method")
WAYS: list[tuple[str, list[tuple[str, str]]]] = [
    *((method, []) for method in METHODS),
    *((method, [(name, "POST")]) for method in ("GET", "PUT") for name in OVERRIDES),
]
LIVE = ("table public.sessions", "table public.users", "table public.credentials", "table public.passwords")


async def state(ctx: Context) -> dict[str, str]:
    """Of people and sessions: what a call may do without anybody's cookie leaves other traces."""
    tables = await leaks.tables(ctx)
    return {name: tables[name] for name in LIVE}


def test_every_route_that_uses_the_cookie_is_among_those_that_are_attacked() -> None:
    assert {operation.path for operation in USING} == {f"{PREFIX}{use.path}" for use in USES}
    assert {operation.path for operation in ENTERING} == {f"{PREFIX}/signup", f"{PREFIX}/login"}
    assert len(OTHERS) > 10


@pytest.fixture
def hostile(is_proof: bool) -> list[list[tuple[str, str]]]:
    return HOSTILE if is_proof else HOSTILE[::5]


async def test_elsewhere_the_cookie_makes_no_difference(
    production: Context, page: Page, hostile: list[list[tuple[str, str]]], prove: Prove
) -> None:
    """Whatever page asks: the answer is that to somebody without it, nothing of the person's changes, none is set."""
    before, different = await state(production), []
    async with open_browser(production) as stranger:
        for operation, origin in product(OTHERS, hostile):
            replies = [await ask(browser, operation, operation.method, origin) for browser in (page.browser, stranger)]
            if replies[0].status_code != replies[1].status_code or not sets_none(replies[0]) or _may_read(replies[0]):
                different.append((str(operation), origin, replies[0].status_code, replies[1].status_code))
    is_unchanged = await state(production) == before
    assert COOKIE in page.browser.cookies
    assert different == []
    prove(
        "H-csrf-others",
        f"{len(OTHERS)} routes that change something, with somebody's cookie from {len(hostile)} hostile origins",
        number=len(different),
        bar="0 answers that the cookie changed, 0 rows of people and sessions changed, no cookie set",
        passed=is_unchanged,
    )


async def test_no_other_method_passes_for_the_one_that_is_guarded(
    production: Context, page: Page, hostile: list[list[tuple[str, str]]], prove: Prove
) -> None:
    """From a hostile page, which cannot know the token, and from our own without it: by any method, and by headers."""
    before, passed, asked = await leaks.tables(production), [], 0
    ours = [("Origin", page.origin)]
    for operation, origin, (method, more) in product([*USING, *ENTERING], [*hostile, ours], WAYS):
        if operation in ENTERING and origin == ours and method == operation.method:
            continue  # our own page may sign somebody in
        reply = await ask(page.browser, operation, method, [*origin, ("X-Auth-Mode", "cookie"), *more])
        asked += 1
        if (reply.is_success and method != "OPTIONS") or not sets_none(reply):
            passed.append((str(operation), method, origin, reply.status_code))
    assert passed == []
    prove(
        "H-csrf",
        f"{len(USING) + len(ENTERING)} routes of the cookie, {len(METHODS)} methods, {len(hostile)} hostile origins: "
        f"{asked} requests",
        number=len(passed),
        bar="0 served, 0 rows changed",
        passed=await leaks.tables(production) == before,
    )


async def test_no_hostile_page_gets_leave_to_ask(page: Page, hostile: list[list[tuple[str, str]]]) -> None:
    """A preflight: what a page may not ask, a browser does not send."""
    for operation, origin in product(CHANGING, hostile):
        wanted = [
            ("Access-Control-Request-Method", operation.method),
            ("Access-Control-Request-Headers", "x-csrf-token"),
        ]
        reply = await page.browser.request("OPTIONS", operation.at(), headers=[*origin, *wanted])
        assert not _may_read(reply), (operation, origin)


async def ask(
    browser: httpx.AsyncClient, operation: Operation, method: str, headers: list[tuple[str, str]]
) -> httpx.Response:
    """With the example of the document for a body, but where its token would go before the cookie."""
    body = None if operation in USING else operation.body
    return await browser.request(method, operation.at(), json=body, headers=headers)


def _may_read(reply: httpx.Response) -> bool:
    """Whether a browser would hand the answer to another page than ours."""
    return bool(reply.headers.get("access-control-allow-origin", PAGE) != PAGE)
