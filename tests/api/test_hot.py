"""Routes with a short cut validate, refuse, answer and document exactly as they do without it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query

from authapi.app import create_app
from authapi.core import hot
from authapi.core.context import Context
from tests.conftest import Instance
from tests.support.browsers import AS_COOKIE, Page
from tests.support.people import ADA, PREFIX, bearer, sign_up

CHANGING = ("request_id", "server_time", "access_token", "refresh_token", "refresh_in", "refresh_expires_at")
"""What differs between any two answers, the short cut or not."""

FAULTY: list[Any] = [[], "text", 1, {}, {"refresh_token": None}, {"refresh_token": 1}, {"other": "x"}]
BODIES: list[dict[str, Any]] = [
    {"content": b""},
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"null", "headers": {"content-type": "application/json"}},
    {"content": b'{"refresh_token":"rt_x"}', "headers": {"content-type": "text/plain"}},
    *({"json": body} for body in FAULTY),
    *({"json": {"refresh_token": token}} for token in ("", "rt_", "x" * 513, "\u00e9")),
    {"json": {"refresh_token": "rt_x", "is_admin": True}},
]


@pytest.fixture
async def plain(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The same application with nothing marked."""
    monkeypatch.setattr(hot, "routes", lambda app: {})
    transport = httpx.ASGITransport(create_app(instance[0]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.post(f"{PREFIX}/refresh")  # so that it asks for its routes while they are hidden
        monkeypatch.undo()
        yield client


def shown(reply: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """An answer without what always differs."""
    headers = {name: value for name, value in reply.headers.items() if name not in ("x-request-id", "content-length")}
    body = reply.json() if reply.content else {}
    return reply.status_code, {name: value for name, value in body.items() if name not in CHANGING}, headers


def test_the_routes_that_are_called_all_the_time_have_one(ctx: Context) -> None:
    found = hot.routes(create_app(ctx))
    posts = {("POST", f"{PREFIX}/{name}") for name in ("signup", "login", "refresh", "logout")}
    assert set(found) == posts | {("GET", f"{PREFIX}/session")}


@pytest.mark.parametrize("request_", BODIES, ids=lambda request: str(request)[:60])
async def test_a_faulty_body_gets_the_same_answer(
    api: httpx.AsyncClient, plain: httpx.AsyncClient, request_: dict[str, Any]
) -> None:
    quick, slow = [shown(await client.post(f"{PREFIX}/refresh", **request_)) for client in (api, plain)]
    assert quick == slow
    assert quick[0] >= 400


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic x"}, bearer("x"), bearer("a.b.c")], ids=str)
async def test_a_faulty_token_gets_the_same_answer(
    api: httpx.AsyncClient, plain: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    quick, slow = [shown(await client.get(f"{PREFIX}/session", headers=headers)) for client in (api, plain)]
    assert quick == slow
    assert quick[0] == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
async def test_another_method_gets_the_same_answer(
    api: httpx.AsyncClient, plain: httpx.AsyncClient, method: str
) -> None:
    quick, slow = [await client.request(method, f"{PREFIX}/refresh") for client in (api, plain)]
    assert (
        (quick.status_code, quick.headers.get("allow"))
        == (slow.status_code, slow.headers.get("allow"))
        == (405, "POST")
    )


async def test_what_works_gets_the_same_answer(api: httpx.AsyncClient, plain: httpx.AsyncClient) -> None:
    ada = await sign_up(api)
    quick, slow = [shown(await ada.session(at=client)) for client in (api, plain)]
    assert quick == slow
    assert quick[0] == 200
    quick, slow = [shown(await ada.refresh(at=client)) for client in (api, plain)]
    assert quick == slow
    assert (quick[0], quick[1]["rotation"]) == (200, "rotated")


async def test_a_cookie_gets_the_same_answer(instance: Instance, plain: httpx.AsyncClient) -> None:
    for path, wanted in (("login", 200), ("refresh", 200), ("refresh", 403), ("logout", 204)):
        replies: list[httpx.Response] = []
        for client in (instance[1], plain):
            client.cookies.clear()
            page = Page(client, origin="http://127.0.0.1:8000")
            await page.enter("signup" if not replies and path == "login" else "login")
            headers = page.headers() if wanted != 403 else {"Origin": page.origin}
            body = ADA if path == "login" else None
            as_cookie = AS_COOKIE if path == "login" else {}
            replies.append(await client.post(f"{PREFIX}/{path}", json=body, headers={**headers, **as_cookie}))
        quick, slow = [_uncookied(reply) for reply in replies]
        assert quick == slow
        assert quick[0] == wanted


def _uncookied(reply: httpx.Response) -> tuple[int, set[str], list[str]]:
    """Members, and cookies without their values."""
    cookies = [line.partition("=")[0] + line.partition(";")[2] for line in reply.headers.get_list("set-cookie")]
    return reply.status_code, set(reply.json() if reply.content else ()), cookies


async def test_an_answer_has_the_same_form_byte_by_byte(api: httpx.AsyncClient, plain: httpx.AsyncClient) -> None:
    ada = await sign_up(api)
    quick, slow = [await ada.session(at=client) for client in (api, plain)]
    assert quick.content == slow.content


def with_a_parameter(app: FastAPI, router: APIRouter) -> None:
    @router.get("/x")
    @hot.hot
    async def endpoint(q: str = Query("")) -> str:
        return q


def with_a_path(app: FastAPI, router: APIRouter) -> None:
    @router.get("/x/{id}")
    @hot.hot
    async def endpoint(id: str) -> str:
        return id


@pytest.mark.parametrize("declare", [with_a_parameter, with_a_path])
def test_a_route_that_needs_more_is_not_taken(declare: Callable[[FastAPI, APIRouter], None]) -> None:
    app, router = FastAPI(), APIRouter()
    declare(app, router)
    app.include_router(router)
    with pytest.raises(TypeError, match="hot route"):
        hot.routes(app)
