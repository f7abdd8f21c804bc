"""What passes as a JSON body, and what is refused without being repeated."""

import json

import pytest

from authapi.core import json_guard
from authapi.core.problems import MalformedRequest


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b' {"email": "ada@example.com", "n": 1.5e3, "list": [true, null, -0]} ',
        '{"name": "Zo\u00eb \U0001f600"}'.encode(),
        rb'{"name": "\ud83d\ude00 \u00eb"}',
        b'{"n": 12345678901234567890}',
        b"[" * json_guard.DEPTH + b"]" * json_guard.DEPTH,
        b'{"brackets": "' + b"[{" * 100 + b'"}',
    ],
)
def test_json_passes(body: bytes) -> None:
    json_guard.check(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\xc0\x80"}', "not UTF-8"),
        ("{}".encode("utf-16-be"), "not JSON"),
        (b"+AHsAfQ-", "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": 1, "a": 1}', "same name"),
        (rb'{"a": 1, "\u0061": 1}', "same name"),
        (b'{"x": [{"a": 1, "a": 2}]}', "same name"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"[123456789012345678901]", "too long"),
        (b"[" + b"9" * 60_000 + b"]", "too long"),
        (rb'{"a": "x\u0000"}', "NUL"),
        (rb'{"\u0000": 1}', "NUL"),
        (rb'["\ud800"]', "surrogate"),
        (rb'{"\udfff": 1}', "surrogate"),
        (b"[" * 17 + b"]" * 17, "nested"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "nested"),
        (b"[" * 60_000, "nested"),
        (b"[" * 30_000 + b"]" * 30_000, "nested"),
    ],
)
def test_anything_else_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        json_guard.check(body)
    assert reason in (refused.value.detail or "")


def test_a_refusal_never_repeats_the_body() -> None:
    for body in (b'{"password": "hunter2', b'{"hunter2": 1, "hunter2": 2}', b'{"password": "hunter2\xff"}'):
        with pytest.raises(MalformedRequest) as refused:
            json_guard.check(body)
        assert "hunter2" not in json.dumps(refused.value.body("id"))
