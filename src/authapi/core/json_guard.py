"""What a JSON body must be before anything else reads it (RFC 8259, RFC 7493), as pure functions."""

import json
from math import isfinite
from typing import Any, NoReturn

from authapi.core.problems import MalformedRequest

DEPTH = 16
DIGITS = 20


def check(body: bytes) -> Any:
    """The value of the body. Raises MalformedRequest, with a detail that never repeats it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedRequest("The body is not UTF-8.") from None
    if text.startswith("\ufeff"):
        raise MalformedRequest("The body starts with a byte order mark.")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise MalformedRequest("The body is not JSON.") from None
    if b"\\u" in body or body.count(b"[") + body.count(b"{") > DEPTH:  # else there is nothing to find
        _walk(value, 1)
    return value


def _walk(value: object, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth > DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            for name in value:
                _check_text(name)
        for item in value.values() if isinstance(value, dict) else value:
            _walk(item, depth + 1)


def _check_text(text: str) -> None:
    """Only an escape can smuggle these in: raw ones are no JSON and no UTF-8."""
    if "\0" in text:
        raise MalformedRequest("A string in the body contains NUL.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise MalformedRequest("A string in the body contains half a surrogate pair.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedRequest("An object in the body has two members of the same name.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise MalformedRequest("A number in the body is too long.")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise MalformedRequest("A number in the body is too large.")
    return number


def _constant(_name: str) -> NoReturn:
    raise MalformedRequest("NaN and Infinity are not JSON.")


def _too_deep() -> MalformedRequest:
    return MalformedRequest(f"The body is nested deeper than {DEPTH} levels.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
