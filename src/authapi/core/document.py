"""The OpenAPI document, made whole: servers, every problem of every call, an example of every body."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from authapi.core import problems
from authapi.core.body import BodyTooLarge, HeadersTooLarge, RequestTimeout, UnsupportedMediaType, UriTooLong
from authapi.core.limits import TooManyRequests
from authapi.core.problems import (
    EXAMPLE_REQUEST_ID,
    MEDIA_TYPE,
    Action,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    Unavailable,
)

COMMON = (MalformedRequest, RequestTimeout, UriTooLong, TooManyRequests, HeadersTooLarge, InternalError, Unavailable)
"""What any call may answer. Health checks and metrics are exempt from the flood guard, and yet may answer the rest."""

WITH_A_BODY = (BodyTooLarge, UnsupportedMediaType, InvalidRequest)

TAGS = {
    "sign-in": "Sign up, log in, and what a front end needs to know before.",
    "sessions": "Refresh, log out, and see where one is signed in.",
    "addresses": "Prove an e-mail address, and change it.",
    "users": "The person's own profile and data.",
    "keys": "How other services verify access tokens.",
    "operations": "Health, metrics, and the meaning of problems.",
}

DESCRIPTION = """\
**Tokens.** An access token (a JWT, RFC 9068) is valid for 15 minutes and goes with each call as
`Authorization: Bearer …`. A refresh token is opaque, is replaced at each refresh, and is good for 7 days
after the last one. Store the new refresh token before you use it. When an answer is lost, ask again with the same
token.

**Browsers.** A page that signs in with `X-Auth-Mode: cookie` gets the refresh token as a cookie that no script reads.
Calls that use the cookie need `X-CSRF-Token`, the `csrf_token` of the answer or of `GET …/auth/csrf`.

**Problems** are `application/problem+json` (RFC 9457). `code` never changes. `action` says what to do:
`fix_request`, `retry`, `wait`, `refresh`, `reload_tokens`, `reauthenticate`, `step_up`, `verify_email` or
`contact_support`. Forget your tokens only when it is `reauthenticate`.
"""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. Some problems have further members, shown in their examples.",
    "additionalProperties": True,
    "required": ["type", "title", "status", "code", "action", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Leads to what the problem means."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Never changes."},
        "action": {"type": "string", "enum": list(get_args(Action)), "description": "What a client should do."},
        "request_id": {"type": "string", "description": "Quote it when you report a fault."},
        "detail": {"type": "string"},
        "retry_after": {"type": "integer", "description": "Seconds to wait, as in the header `Retry-After`."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where the fault is (RFC 6901)."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

JSON = "application/json"
TYPICAL: Mapping[tuple[str | None, str | None], object] = {
    ("string", "uuid"): EXAMPLE_REQUEST_ID,
    ("string", "date-time"): "2026-11-20T10:02:00Z",
    ("boolean", None): True,
}
"""Examples by type and format, of what has none of its own."""


class NoExample(Exception):
    """A schema tells by neither an example nor its type what a value looks like."""


def install(app: FastAPI) -> None:
    """`app.openapi()` makes the whole document, once."""
    app.openapi = _maker(app)  # type: ignore[method-assign]


def _maker(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return make


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="authapi",
        version=version("authapi"),
        summary="Signs people up and in, and hands out rotating tokens.",
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[
            {"url": "/", "description": "The instance that serves this document."},
            {
                "url": "{origin}",
                "description": "Your own instance.",
                "variables": {"origin": {"default": "http://127.0.0.1:8000", "description": "AUTHAPI_PUBLIC_URL"}},
            },
        ],
    )
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
            _illustrate(operation, schemas)
    schemas["Problem"] = PROBLEM
    for generated in ("HTTPValidationError", "ValidationError"):
        schemas.pop(generated, None)
    return document


def _complete(operation: dict[str, Any]) -> None:
    """Adds the common problems to a call, in place of the validation error that FastAPI would document."""
    operation.setdefault("security", [])
    answers = operation["responses"]
    if JSON in answers.get("422", {}).get("content", {}):
        generated = answers["422"]["content"].pop(JSON)
        if not answers["422"]["content"]:
            del answers["422"]
        assert generated["schema"]["$ref"].endswith("HTTPValidationError")  # noqa: S101
    takes_values = "requestBody" in operation or "parameters" in operation
    common = COMMON + (WITH_A_BODY if takes_values else (BodyTooLarge, UnsupportedMediaType))
    for status, answer in problems.responses(*common).items():
        _merge(answers.setdefault(str(status), {"description": ""}), answer)
    for answer in answers.values():
        if MEDIA_TYPE in answer.get("content", {}):
            answer["content"][MEDIA_TYPE]["schema"] = {"$ref": "#/components/schemas/Problem"}
    operation["responses"] = dict(sorted(answers.items()))


def _merge(into: dict[str, Any], answer: dict[str, Any]) -> None:
    content = into.setdefault("content", {}).setdefault(MEDIA_TYPE, {"examples": {}})
    new = {
        code: example
        for code, example in answer["content"][MEDIA_TYPE]["examples"].items()
        if code not in content["examples"]
    }
    content["examples"].update(new)
    titles = " ".join(example["summary"] for example in new.values())
    into["description"] = f"{into['description']} {titles}".strip()


def _illustrate(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Gives each JSON body an example, made of those of its fields, unless it has one or they do not suffice."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in (*bodies, *operation["responses"].values()):
        content = body.get("content", {}).get(JSON)
        if content is not None and "example" not in content and "examples" not in content:
            with suppress(NoExample):
                content["example"] = example(content["schema"], schemas)


def example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Raises NoExample."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "anyOf" in schema:
        return _first(schema["anyOf"], schemas)
    if "properties" in schema:
        return {name: example(member, schemas) for name, member in schema["properties"].items()}
    if schema.get("type") == "array" and "items" in schema:
        return [example(schema["items"], schemas)]
    kind = (schema.get("type"), schema.get("format"))
    if kind not in TYPICAL:
        raise NoExample(schema.get("title", ""))
    return TYPICAL[kind]


def _first(choices: list[dict[str, Any]], schemas: Mapping[str, Any]) -> Any:
    """Of the choices the first that has an example; null only where no other one has."""
    for choice in choices:
        with suppress(NoExample):
            return example(choice, schemas)
    if {"type": "null"} in choices:
        return None
    raise NoExample()
