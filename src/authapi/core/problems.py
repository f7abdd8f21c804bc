"""Errors as problem details (RFC 9457). Raise a Problem anywhere; one handler renders it."""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import Scope

from authapi.core import db

MEDIA_TYPE = "application/problem+json"

Action: TypeAlias = Literal[
    "fix_request",
    "retry",
    "wait",
    "refresh",
    "reload_tokens",
    "reauthenticate",
    "step_up",
    "verify_email",
    "contact_support",
]
ACTIONS: tuple[str, ...] = get_args(Action)

MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")

log = logging.getLogger(__name__)


class Problem(Exception):
    """`code` never changes; `title` may. `action` is what a client should do: only `reauthenticate` may forget tokens.

    `retry_after` is in seconds and becomes the header `Retry-After`; `bearer` is the error of `WWW-Authenticate`
    (RFC 6750 §3.1). Keyword arguments become members of the body.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    action: ClassVar[Action]
    bearer: ClassVar[str | None] = None
    example: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.extra = extra
        self.headers = dict(headers or {})
        if self.retry_after is not None:
            self.headers["Retry-After"] = str(self.retry_after)
        if self.bearer is not None:
            self.headers["WWW-Authenticate"] = f'Bearer error="{self.bearer}", error_description="{self.title}"'

    @classmethod
    def every(cls) -> "Iterator[type[Problem]]":
        """Every kind of problem that is loaded."""
        for kind in cls.__subclasses__():
            yield kind
            yield from kind.every()

    def body(self, request_id: str) -> dict[str, Any]:
        optional = {"detail": self.detail, "retry_after": self.retry_after}
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "action": self.action,
            "request_id": request_id,
            **{name: value for name, value in optional.items() if value is not None},
            **self.extra,
        }


class InvalidRequest(Problem):
    code = "invalid_request"
    status = 422
    title = "The request is not valid; `errors` points at each fault."
    action = "fix_request"
    example: ClassVar[dict[str, Any]] = {"errors": [{"pointer": "/email", "message": "Field required"}]}


class MalformedRequest(Problem):
    code = "malformed_request"
    status = 400
    title = "The request cannot be read."
    action = "fix_request"


class NotFound(Problem):
    code = "not_found"
    status = 404
    title = "There is nothing here."
    action = "fix_request"


class MethodNotAllowed(Problem):
    code = "method_not_allowed"
    status = 405
    title = "This path does not answer to that method."
    action = "fix_request"


class InternalError(Problem):
    code = "internal_error"
    status = 500
    title = "Something went wrong on our side. Quote the request id when you report it."
    action = "retry"


class Unavailable(Problem):
    code = "unavailable"
    status = 503
    title = "A part of the service cannot be reached just now. Nothing is lost; try again."
    action = "retry"

    def __init__(self, detail: str | None = None, *, retry_after: float = 1, **extra: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)


EXAMPLE_REQUEST_ID = "01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11"


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The document's side of the same declaration: `responses=problems.responses(A, B)`."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        entry = by_status.setdefault(problem.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["content"][MEDIA_TYPE]["examples"][problem.code] = {
            "summary": problem.title,
            "value": problem(**problem.example).body(EXAMPLE_REQUEST_ID),
        }
        entry["description"] = f"{entry['description']} {problem.title}".strip()
    return by_status


def answer(problem: Problem, scope: Scope) -> Response:
    """The rendered problem; for a middleware, which stands outside the handlers."""
    body = problem.body(scope.get("state", {}).get("request_id", ""))
    return Response(json.dumps(body).encode(), problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """One handler for everything that can be raised."""
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, render)


async def render(request: Request, error: Exception) -> Response:
    problem = as_problem(error)
    if isinstance(problem, MethodNotAllowed):
        problem.headers.update(_allow(request))
    return answer(problem, request.scope)


def _allow(request: Request) -> dict[str, str]:
    """All methods of the path (RFC 9110 §10.2.1): the router names those of the first route alone that has the path."""
    routes = list(iter_route_contexts(request.app.routes))
    found = {route.path for route in routes if route.endpoint and route.endpoint is request.scope.get("endpoint")}
    methods = {method for route in routes if route.path in found for method in route.methods or ()}
    return {"Allow": ", ".join(sorted(methods))} if methods else {}


def as_problem(error: Exception) -> Problem:
    """What a client is told of an error; what it is not told goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        kind = {404: NotFound, 405: MethodNotAllowed}.get(error.status_code, MalformedRequest)
        return kind(headers=error.headers)
    if db.is_unavailable(error):
        log.warning("the database cannot serve just now", extra={"error": type(error).__name__})
        return Unavailable()
    log.error("unexpected error", exc_info=error)
    return InternalError()


def _invalid(error: RequestValidationError) -> Problem:
    """The faults by JSON pointer (RFC 6901), without the values: they may be passwords."""
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return MalformedRequest("The body is not JSON.")
    return InvalidRequest(errors=[{"pointer": _pointer(_place(fault)), "message": _message(fault)} for fault in faults])


def _place(fault: dict[str, Any]) -> tuple[int | str, ...]:
    """Where it is. Of an unknown member where it stands: its name may be anything, even a password."""
    location: tuple[int | str, ...] = fault["loc"]
    is_strange = fault["type"] == "extra_forbidden" and not MEMBER.fullmatch(str(location[-1]))
    return location[:-1] if is_strange else location


def _pointer(location: tuple[int | str, ...]) -> str:
    parts = location[1:] if location and location[0] == "body" else location
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _message(fault: dict[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")
