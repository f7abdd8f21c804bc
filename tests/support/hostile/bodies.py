"""Bodies that no route may take, for `hypothesis`: no JSON, JSON that is dangerous, values of other types."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

CODECS = ("utf-7", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037")
UTF_7 = b"+AHsAfQ-"
"""`{}`"""

NUMBERS = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"1e-99999999999",
    b"9" * 21,
    b"9" * 5000,
    b"9" * 50_000,
]
TEXTS = [b'"\\u0000"', b'"\\ud800"', b'"\\udfff"', b'"\\udc00\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"']
TEXTS += [b'"\xf5\x80\x80\x80"', b'"\xf0\x80\x80\x80"', b'"\n"', b'"\x00"', b'"\\x41"', b'"\\u12"', b'"', b"'x'"]
OTHERS = [
    b"undefined",
    b"True",
    b"nil",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"/**/1",
    b"{,}",
    b"[1,]",
    b"{1:1}",
    b'{"a":1,"a":1}',
]
EXTREMES = [
    "x" * 60_000,
    "\U0001f511" * 10_000,
    "a" * 300 + "@example.com",
    "-1",
    "' OR 1=1 --",
    "../" * 50,
    "\u202e",
    "",
]


def values() -> st.SearchStrategy[bytes]:
    """What stands where a value should stand, and makes the whole no good."""
    nested = st.builds(
        _nested, st.integers(17, 20_000), st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]), st.booleans()
    )
    return st.one_of(st.sampled_from([*NUMBERS, *TEXTS, *OTHERS]), nested)


def _nested(depth: int, brackets: tuple[bytes, bytes], is_closed: bool) -> bytes:
    opened = brackets[0] * (depth // len(brackets[0]) + 17)
    return opened + b"1" + brackets[1] * (opened.count(brackets[0]) if is_closed else 0)


def bodies(example: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """`example` is a good one of the route; each of these is not."""
    good = json.dumps(example).encode()
    names = st.sampled_from(list(example))
    return st.one_of(
        st.builds(_with, st.just(example), names, values()),
        st.builds(lambda value: good[:-1] + b',"x":' + value + b"}", values()),
        st.builds(_twice, st.just(good), names),
        st.sampled_from(
            [text for codec in CODECS if not _is_object_in_utf_8(text := json.dumps(example).encode(codec))]
        ),
        st.builds(lambda at: good[:at], st.integers(1, len(good) - 1)),
        st.builds(lambda end: good + end, st.sampled_from([UTF_7, b",", b"}", b"{}", b"\0", b"x", b"//", good])),
        st.binary(min_size=1, max_size=300).filter(lambda data: not _is_object(data)),
        st.builds(lambda name, value: json.dumps(example | {name: value}).encode(), names, _other_types()),
        st.builds(
            lambda name: json.dumps(example | {name: 1}).encode(),
            st.text(min_size=1).filter(lambda name: name not in example),
        ),
        st.builds(lambda value: json.dumps(value).encode(), _no_objects()),
    )


def _other_types() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(2),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )


def _no_objects() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.booleans(), st.integers(), st.text(), st.lists(st.none()), st.floats(allow_nan=False, allow_infinity=False)
    )


def _with(example: dict[str, Any], name: str, value: bytes) -> bytes:
    members = [
        json.dumps(each).encode() + b":" + (value if each == name else json.dumps(example[each]).encode())
        for each in example
    ]
    return b"{" + b",".join(members) + b"}"


def _twice(good: bytes, name: str) -> bytes:
    return good[:-1] + b"," + json.dumps(name).encode() + b":null}"


def _is_object(data: bytes | str) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _is_object_in_utf_8(data: bytes) -> bool:
    """Then it is a good body, if another one: in UTF-7 `\\u2026` becomes `+AFw-u2026`, which is ASCII, too."""
    return _is_object(data.decode("latin-1"))


WRONG_TYPES: Sequence[bytes | None] = [
    *(None, b"", b"text/plain", b"text/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"),
    *(b"application/json; charset=utf-16", b"application/json; charset=utf-7", b"application/json, text/plain", b"*/*"),
    *(b"application/jsonp", b"application/json\xff", b"application/xml", b"application/json;charset=latin-1"),
]
