"""A short cut for the few routes that are called all the time: the same endpoint without the machinery on the way.

A route marked `@hot` stays an ordinary route of the application: declared, documented and analysed by FastAPI. What is
left out at run time is the search through the routers, the exit stacks, the second validation of an answer that is
already a model, and its second message where the server takes it in one. `tests/api/test_hot.py` holds that such a
route answers exactly as it does without the short cut.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from authapi.core.body import NOTHING, parsed

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Resolver = Callable[[Request], Awaitable[Any]]

MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}
JSON = (b"content-type", b"application/json")

WHOLE = "authapi.whole"
"""The ASGI extension of a server that takes an answer in one message: its start, with the whole body under this name.
So it goes once through the layers, which change headers at most."""

_marked: set[Callable[..., Any]] = set()


def hot(endpoint: Endpoint) -> Endpoint:
    """Marks an endpoint. Its path must have no parameters, and it takes a body and plain dependencies at most."""
    _marked.add(endpoint)
    return endpoint


class ShortCut:
    """Hands marked routes straight to their endpoint; everything else goes on to FastAPI."""

    def __init__(self, app: ASGIApp, *, routes: Callable[[], Mapping[tuple[str, str], Handler]]) -> None:
        self._app = app
        self._routes = routes
        self._known: Mapping[tuple[str, str], Handler] | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self._known is None:  # when the service starts, so that no request waits for it
            self._known = self._routes()
        if scope["type"] == "http":
            handler = self._known.get((scope["method"], scope["path"]))
            if handler is not None:
                return handler(scope, receive, send)
        return self._app(scope, receive, send)


def routes(app: FastAPI) -> dict[tuple[str, str], Handler]:
    """The marked routes by method and path. Raises TypeError for one that needs what the short cut leaves out."""
    found: dict[tuple[str, str], Handler] = {}
    for context in iter_route_contexts(app.routes):
        route = context.route
        if isinstance(route, APIRoute) and route.endpoint in _marked:
            handler = _handler(app, route)
            for method in route.methods or ():
                found[method, str(context.path)] = handler
    return found


def _handler(app: FastAPI, route: APIRoute) -> Handler:
    endpoint, arguments = route.endpoint, _arguments(route.dependant)
    body = route.dependant.body_params[0] if route.dependant.body_params else None
    serialized = TypeAdapter(route.response_model).serializer.to_json
    status = route.status_code or 200

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"], scope["endpoint"] = app, endpoint
        request = Request(scope, receive)
        values = {name: await resolve(request) for name, resolve in arguments.items()}
        if body is not None:
            values[body.name] = _validated(body, parsed(scope))
        answer = await endpoint(**values)
        if isinstance(answer, Response):
            return await answer(scope, receive, send)
        content = serialized(answer)
        length = (b"content-length", b"%d" % len(content))
        start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": [length, JSON]}
        if WHOLE in scope.get("extensions", ()):
            return await send({**start, WHOLE: content})
        await send(start)
        await send({"type": "http.response.body", "body": content})

    return handle


def _validated(field: Any, value: Any) -> Any:
    """As FastAPI would: the same errors for the same body."""
    if value is NOTHING:
        if not field.field_info.is_required():
            return field.get_default()
        raise RequestValidationError([MISSING])
    found, errors = field.validate(value, {}, loc=("body",))
    if errors:
        raise RequestValidationError(errors)
    return found


def _arguments(dependant: Dependant) -> dict[str, Resolver]:
    """How each argument of an endpoint or dependency is made."""
    _check(dependant)
    arguments = {str(each.name): _resolver(each) for each in dependant.dependencies}
    for name in (dependant.request_param_name, dependant.http_connection_param_name):
        if name is not None:
            arguments[name] = _itself
    return arguments


def _resolver(dependant: Dependant) -> Resolver:
    call, arguments = dependant.call, _arguments(dependant)
    if call is None:
        raise TypeError("a dependency without a function")
    if list(arguments.values()) == [_itself]:
        name = next(iter(arguments))
        return lambda request: call(**{name: request})

    async def resolve(request: Request) -> Any:
        return await call(**{name: await resolve(request) for name, resolve in arguments.items()})

    return resolve


async def _itself(request: Request) -> Request:
    return request


def _check(dependant: Dependant) -> None:
    left_out = (
        *(dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params),
        *(dependant.response_param_name, dependant.background_tasks_param_name, dependant.security_scopes_param_name),
    )
    if any(left_out) or len(dependant.body_params) > 1:
        raise TypeError(f"{dependant.call} takes what a hot route cannot have")
