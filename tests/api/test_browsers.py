"""What browsers ask for: CORS, preflights, HEAD, OPTIONS, and the headers that keep pages apart."""

import httpx
import pytest

from tests.api.test_problems_over_http import SECURITY, assert_problem
from tests.conftest import Start
from tests.support.calls import CALLS, Call
from tests.support.people import PREFIX, Person, bearer

OURS = "https://app.example.com"
STRANGERS = [
    *("https://evil.example", "null", "http://app.example.com", "https://app.example.com.evil.example", "*", ""),
    *("https://app.example.com:444", "https://app.example.com/", "https://APP.example.com", "https://xapp.example.com"),
    *("https://app.example.com, https://evil.example", "https://app.example.com https://evil.example", "file://"),
]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_every_answer_may_be_read_by_our_own_front_end(ada: Person, call: Call) -> None:
    for headers in ({}, bearer(ada.access_token), bearer("garbage"), {"Content-Type": "text/plain"}):
        content = b"x" if "Content-Type" in headers else b""
        reply = await ada.api.request(call.method, call.path, content=content, headers={"Origin": OURS, **headers})
        assert reply.headers["access-control-allow-origin"] == OURS
        assert reply.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in reply.headers["vary"]
        exposed = {name.strip() for name in reply.headers["access-control-expose-headers"].split(",")}
        assert exposed == {"x-request-id", "ratelimit", "ratelimit-policy", "retry-after"}


@pytest.mark.parametrize("origin", STRANGERS)
async def test_no_answer_may_be_read_by_another_page(ada: Person, origin: str) -> None:
    for call in (Call("GET", f"{PREFIX}/session"), Call("GET", f"{PREFIX}/config"), Call("GET", "/nothing")):
        headers = {"Origin": origin, **bearer(ada.access_token)}
        reply = await ada.api.request(call.method, call.path, headers=headers)
        assert "access-control-allow-origin" not in reply.headers
        reply = await ada.api.options(call.path, headers={"Origin": origin, **PREFLIGHT})
        assert reply.status_code >= 400
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("origin", [OURS, "https://evil.example", None])
async def test_no_cache_gives_one_page_the_answer_to_another(api: httpx.AsyncClient, origin: str | None) -> None:
    for path in ("/.well-known/jwks.json", f"{PREFIX}/config", "/nothing"):
        reply = await api.get(path, headers={"Origin": origin} if origin else {})
        assert reply.headers["vary"] == "Origin"


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_preflight_of_our_own_front_end_is_granted(api: httpx.AsyncClient, call: Call) -> None:
    asked = {"Origin": OURS, **PREFLIGHT, "Access-Control-Request-Method": call.method}
    reply = await api.options(call.path, headers=asked)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == OURS
    assert call.method in reply.headers["access-control-allow-methods"]
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    assert "*" not in allowed
    assert int(reply.headers["access-control-max-age"]) <= 7200


@pytest.mark.parametrize(
    "changes", [{"Access-Control-Request-Method": "PUT"}, {"Access-Control-Request-Headers": "x-y"}]
)
async def test_a_preflight_for_more_than_there_is_is_refused(api: httpx.AsyncClient, changes: dict[str, str]) -> None:
    reply = await api.options(f"{PREFIX}/login", headers={"Origin": OURS, **PREFLIGHT, **changes})
    assert reply.status_code == 400


async def test_a_refused_preflight_is_a_problem_too(api: httpx.AsyncClient) -> None:
    reply = await api.options(f"{PREFIX}/login", headers={"Origin": "https://evil.example", **PREFLIGHT})
    assert_problem(reply, 400, "origin_refused")


async def test_without_allowed_origins_there_is_no_cors_at_all(start: Start) -> None:
    _, api = await start(allowed_origins=())
    reply = await api.options(f"{PREFIX}/login", headers={"Origin": OURS, **PREFLIGHT})
    assert_problem(reply, 405, "method_not_allowed")
    reply = await api.get(f"{PREFIX}/config", headers={"Origin": OURS})
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_options_without_a_preflight_is_no_method_here(api: httpx.AsyncClient, call: Call) -> None:
    for headers in ({}, {"Origin": OURS}):
        reply = await api.options(call.path, headers=headers)
        assert_problem(reply, 405, "method_not_allowed")
        methods = {other.method for other in CALLS if other.path == call.path}
        assert reply.headers["allow"] == ", ".join(sorted(methods))


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/health/live", "/health/ready", f"{PREFIX}/config"])
async def test_head_is_get_without_a_body(api: httpx.AsyncClient, path: str) -> None:
    reply = await api.head(path)
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_every_answer_has_the_security_headers(ada: Person, call: Call) -> None:
    for headers in (bearer(ada.access_token), {}):
        reply = await ada.api.request(call.method, call.path, json=call.body or None, headers=headers)
        wanted = dict(SECURITY)
        if call.path.endswith("jwks.json"):
            wanted["cache-control"] = "public, max-age=300"
        for name, value in wanted.items():
            assert reply.headers.get_list(name) == [value], name
        assert "camera=()" in reply.headers["permissions-policy"]
        assert "server" not in reply.headers
        assert "x-powered-by" not in reply.headers
        assert reply.headers["x-request-id"]


async def test_over_https_every_answer_demands_https(start: Start) -> None:
    _, api = await start(env="production", public_url="https://auth.example.com")
    for path in (f"{PREFIX}/config", "/nothing", "/.well-known/jwks.json", "/health/live"):
        assert (await api.get(path)).headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


async def test_in_production_there_are_no_documentation_pages(start: Start) -> None:
    _, api = await start(env="production", public_url="https://auth.example.com")
    for path in ("/docs", "/redoc", "/openapi.json"):
        reply = await api.get(path)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_no_header_changes_the_method(ada: Person, header: str) -> None:
    reply = await ada.api.get(f"{PREFIX}/sessions", headers={header: "DELETE", **bearer(ada.access_token)})
    assert (reply.status_code, len(reply.json()["sessions"])) == (200, 1)


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix"])
async def test_no_header_changes_the_path(api: httpx.AsyncClient, header: str) -> None:
    assert (await api.get("/nothing", headers={header: "/health/live"})).status_code == 404


async def test_a_request_id_of_a_stranger_is_not_taken_over(api: httpx.AsyncClient) -> None:
    reply = await api.get("/nothing", headers={"X-Request-ID": "mine"})
    assert reply.headers["x-request-id"] != "mine"
