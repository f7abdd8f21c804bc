"""Every refusal of every call has the same form, says what to do, and repeats nothing that was sent."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from authapi.core.problems import ACTIONS, Problem
from tests.support.calls import BODIES, CALLS, Call
from tests.support.people import PREFIX, Person, bearer

CANARY = "canary-7f3a"
MEMBERS = {"type", "title", "status", "code", "action", "request_id"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND")
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def assert_problem(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The form of RFC 9457, our members, the headers of every answer, and no canary."""
    assert CANARY not in reply.text + str(reply.headers)
    body: dict[str, Any] = reply.json()
    assert (reply.status_code, body["code"]) == (status, code), body
    assert reply.headers["content-type"] == "application/problem+json"
    assert body.keys() >= MEMBERS
    assert (body["type"], body["status"]) == (f"/problems/{code}", status)
    assert body["action"] in ACTIONS
    assert body["request_id"] == reply.headers["x-request-id"] != ""
    for name, value in SECURITY.items():
        assert reply.headers[name] == value, name
    return body


async def send(person: Person, call: Call, content: bytes, kind: str = "application/json") -> httpx.Response:
    return await person.api.request(
        call.method, call.path, content=content, headers={"Content-Type": kind, **bearer(person.access_token)}
    )


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_another_method_is_refused_and_told_which_ones_there_are(ada: Person, call: Call) -> None:
    known = {other.method for other in CALLS if other.path == call.path}
    for method in set(METHODS) - known - ({"HEAD"} if "GET" in known else set()):
        reply = await ada.api.request(method, call.path, headers={"X-Canary": CANARY})
        assert reply.headers["allow"] == ", ".join(sorted(known))
        if method == "HEAD":
            assert (reply.status_code, reply.headers["content-type"]) == (405, "application/problem+json")
        else:
            assert_problem(reply, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/api", "/api/v1", "/api/v1/auth", "/api/v2/auth/login", "/api/v1/auth/nothing", "/API/v1/auth/login"),
        *("/api/v1/auth//login", "/api/v1/auth/%2e%2e/login", "/api/v1/auth/login;x=1"),
        *("/api/v1/auth/login.json", "/.env", "/.git/config", "/.well-known/security.txt", "/wp-login.php", "/health"),
        *("/static/../.env", "/problems", "/problems/a/b", "/\u4e2d\u6587", "/%5c..%5c.."),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_not_found(ada: Person, path: str, method: str) -> None:
    reply = await ada.api.request(method, f"{path}?q={CANARY}", headers=bearer(ada.access_token))
    assert_problem(reply, 404, "not_found")


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_slash_too_many_is_not_found_and_never_a_redirect(ada: Person, call: Call) -> None:
    headers = {"Host": f"{CANARY}.example", **bearer(ada.access_token)}
    reply = await ada.api.request(call.method, call.path + "/", headers=headers)
    assert_problem(reply, 404, "not_found")


@pytest.mark.parametrize("raw", [b"/%ff", b"/%c0%ae", b"/%00", b"/problems/%00", b"/problems/%ed%a0%80", b"/?q=%ff"])
async def test_a_path_that_is_no_text_is_malformed(ada: Person, raw: bytes) -> None:
    assert_problem(await ada.api.get(httpx.URL("http://test", raw_path=raw)), 400, "malformed_request")


@pytest.mark.parametrize("id", ["not-a-uuid", "1", "me", "00000000-0000-0000-0000-00000000000g", "%20", CANARY, "'--"])
async def test_an_id_that_is_no_uuid_is_invalid(ada: Person, id: str) -> None:
    reply = await ada.api.delete(f"{PREFIX}/sessions/{id}", headers=bearer(ada.access_token))
    errors = assert_problem(reply, 422, "invalid_request")["errors"]
    assert [error["pointer"] for error in errors] == ["/path/session_id"]


@pytest.mark.parametrize("id", ["not-a-uuid", "00000000-0000-0000-0000-000000000000"])
async def test_a_stranger_is_asked_for_a_token_before_anything_else(api: httpx.AsyncClient, id: str) -> None:
    assert_problem(await api.delete(f"{PREFIX}/sessions/{id}"), 401, "token_missing")


async def test_a_url_or_headers_beyond_the_limits_are_refused(ada: Person) -> None:
    assert_problem(await ada.api.get(f"{PREFIX}/session?q={CANARY * 900}"), 414, "uri_too_long")
    assert_problem(await ada.api.get(f"{PREFIX}/session", headers={"X-A": CANARY * 2000}), 431, "headers_too_large")
    many = [(f"X-{i}", CANARY) for i in range(101)]
    assert_problem(await ada.api.get(f"{PREFIX}/session", headers=many), 431, "headers_too_large")


KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""]
KINDS += ["application/json; charset=utf-16", "application/json; charset=latin-1", "application/jsonx", "json", "*/*"]


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_body_of_another_type_is_refused_by_every_call(ada: Person, call: Call) -> None:
    for kind in KINDS:
        reply = await send(ada, call, json.dumps({"email": CANARY}).encode(), kind)
        assert_problem(reply, 415, "unsupported_media_type")


BODY_MAY_BE_ABSENT = ("logout", "resend")

MALFORMED: Mapping[str, bytes] = {
    "no JSON": b'{"a": ' + CANARY.encode(),
    "half an object": b'{"email": "' + CANARY.encode() + b'"',
    "two values": b"{} {}",
    "a comment": b'{"a": 1} // canary-7f3a',
    "single quotes": b"{'a': 'canary-7f3a'}",
    "a comma too many": b'{"a": "canary-7f3a",}',
    "duplicate members": b'{"email": "canary-7f3a", "email": "canary-7f3a"}',
    "duplicates by escape": b'{"email": "canary-7f3a", "\\u0065mail": 1}',
    "NUL": b'{"email": "canary-7f3a\\u0000"}',
    "NUL in a name": b'{"canary-7f3a\\u0000": 1}',
    "raw NUL": b'{"email": "canary-7f3a\0"}',
    "half a surrogate pair": b'{"password": "canary-7f3a\\ud800"}',
    "the other half": b'{"password": "canary-7f3a\\udc00"}',
    "a surrogate in a name": b'{"canary-7f3a\\ud800": 1}',
    "NaN": b'{"remember_me": NaN}',
    "infinity": b'{"remember_me": -Infinity}',
    "a float without end": b'{"remember_me": 1e999}',
    "a huge integer": b'{"remember_me": ' + b"9" * 5000 + b"}",
    "deep arrays": b"[" * 20000 + b"]" * 20000,
    "deep objects": b'{"a":' * 9000 + b"1" + b"}" * 9000,
    "no UTF-8": b'{"email": "canary-7f3a\xff"}',
    "overlong UTF-8": b'{"email": "\xc0\xaecanary-7f3a"}',
    "a surrogate in UTF-8": b'{"email": "\xed\xa0\x80"}',
    "UTF-16": '{"email": "canary-7f3a"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"email": "canary-7f3a"}'.encode("utf-16-le"),
    "UTF-32": '{"email": "canary-7f3a"}'.encode("utf-32"),
    "a byte order mark": b'\xef\xbb\xbf{"email": "canary-7f3a"}',
    "a vertical tab": b'{"a":\x0b1}',
    "only a space": b" ",
}


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_malformed_body_is_refused_by_every_call(ada: Person, call: Call) -> None:
    for body in MALFORMED.values():
        assert_problem(await send(ada, call, body), 400, "malformed_request")


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_body_that_is_too_large_is_refused_by_every_call(ada: Person, call: Call) -> None:
    for size in (64 * 1024 + 1, 20 * 2**20):
        assert_problem(await send(ada, call, b" " * size), 413, "body_too_large")
    lie = {"Content-Length": str(20 * 2**20), **bearer(ada.access_token)}
    assert_problem(await ada.api.request(call.method, call.path, headers=lie), 413, "body_too_large")


@pytest.mark.parametrize("call", BODIES, ids=str)
@pytest.mark.parametrize("body", [b"[]", b"1", b'"canary-7f3a"', b"true", b"null", b"[{}]", b'{"canary-7f3a": []}'])
async def test_a_body_of_another_shape_is_invalid(ada: Person, call: Call, body: bytes) -> None:
    if (call.path.endswith(BODY_MAY_BE_ABSENT), body) == (True, b"null"):
        return
    reply = await send(ada, call, body)
    if body.startswith(b'{"'):  # a member's name is told as a pointer, and as nothing else
        assert CANARY not in json.dumps([error["message"] for error in reply.json()["errors"]])
        assert reply.status_code == 422
    else:
        assert_problem(reply, 422, "invalid_request")


@pytest.mark.parametrize("call", [call for call in BODIES if not call.path.endswith(BODY_MAY_BE_ABSENT)], ids=str)
async def test_a_missing_body_is_invalid(ada: Person, call: Call) -> None:
    for headers in ({}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
        reply = await ada.api.request(call.method, call.path, headers=headers | bearer(ada.access_token))
        assert_problem(reply, 422, "invalid_request")


@pytest.mark.parametrize("call", BODIES, ids=str)
async def test_no_value_of_an_invalid_body_comes_back(ada: Person, call: Call) -> None:
    for name, good in call.body.items():
        for wrong in (CANARY, [CANARY], {CANARY: 1}, 1, None, CANARY * 1000):
            if type(wrong) is type(good) and len(str(wrong)) < 20:
                continue
            reply = await send(ada, call, json.dumps({**call.body, name: wrong}).encode())
            assert CANARY not in reply.text, (name, wrong)
            assert reply.status_code in (200, 201, 202, 204, 401, 409, 422)


async def test_every_problem_is_explained_at_its_type(api: httpx.AsyncClient) -> None:
    kinds = list(Problem.every())
    assert len({kind.code for kind in kinds}) == len(kinds) > 20
    for kind in kinds:
        reply = await api.get(f"/problems/{kind.code}")
        told = {"code": kind.code, "status": kind.status, "title": kind.title, "action": kind.action}
        assert (reply.status_code, reply.json()) == (200, told)
    assert_problem(await api.get(f"/problems/{CANARY}"), 404, "not_found")


async def test_only_the_end_of_a_session_makes_a_client_forget_its_tokens() -> None:
    forgetting = {kind.code for kind in Problem.every() if kind.action == "reauthenticate"}
    ends = {"invalid_token", "session_ended", "session_expired", "token_reused", "session_state_lost"}
    assert forgetting == ends | {"cookie_missing"}  # the browser has forgotten it already
    assert all(kind.status == 401 for kind in Problem.every() if kind.action == "reauthenticate")
