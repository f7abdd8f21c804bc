"""What the OpenAPI document must have, so that people and generators can work with it alone."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from authapi.core.problems import MEDIA_TYPE

Document = Mapping[str, Any]

JSON = "application/json"
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
FROM_ANY_CALL = ("malformed_request", "too_many_requests", "internal_error", "unavailable")


def invalid(document: Document) -> list[str]:
    """What OpenAPI 3.1 does not allow, and references that lead nowhere."""
    broken = [error.message[:200] for error in OpenAPIV31SpecValidator(dict(document)).iter_errors()]
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    return broken + [f"{reference} leads nowhere" for reference in sorted(set(_references(document)) - schemas)]


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _references(item)


def faults(document: Document) -> list[str]:
    found = list(_head(document))
    names: set[str] = set()
    for path, method, operation in operations(document):
        name = operation.get("operationId", "")
        where = name or f"{method.upper()} {path}"
        if name in names:
            found.append(f"{where} is the name of two operations")
        names.add(name)
        found += [f"{where} {fault}" for fault in _operation(document, operation)]
    return found


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _head(document: Document) -> Iterator[str]:
    if not document["components"].get("securitySchemes"):
        yield "the document has no security schemes"
    if "ValidationError" in str(sorted(document["components"]["schemas"])):
        yield "the document has FastAPI's HTTPValidationError"
    servers = document.get("servers", [])
    if not any("{" in server["url"] for server in servers):
        yield "the document names no server"
    for server in servers:
        if set(re.findall(r"{(\w+)}", server["url"])) != set(server.get("variables", {})):
            yield f"the server {server['url']} does not explain its variables"


def _operation(document: Document, operation: Mapping[str, Any]) -> Iterator[str]:
    if not SNAKE.fullmatch(operation.get("operationId", "")):
        yield "has no operationId in snake_case"
    yield from (f"has no {part}" for part in ("summary", "description", "tags") if not operation.get(part))
    if set(operation.get("tags", ())) - {tag["name"] for tag in document.get("tags", ())}:
        yield "has a tag that is not described"
    yield from _security(document, operation)
    if "requestBody" in operation:
        for fault in _content(document, operation["requestBody"]):
            yield f"body {fault}"
    answers = operation.get("responses", {})
    if not any(status.startswith("2") for status in answers):
        yield "has no answer for success"
    for status, answer in answers.items():
        if status != "204" and not answer.get("content"):
            yield f"{status} has no body"
        for fault in (*_content(document, answer), *_problems(status, answer)):
            yield f"{status} {fault}"
    told = {code for answer in answers.values() for code in _examples(answer.get("content", {}).get(MEDIA_TYPE, {}))}
    yield from (f"does not tell of {code}" for code in FROM_ANY_CALL if code not in told)
    if ("requestBody" in operation or "parameters" in operation) and "422" not in answers:
        yield "takes values, and does not tell of invalid ones"


def _security(document: Document, operation: Mapping[str, Any]) -> Iterator[str]:
    """An empty list says that it is open to everybody; nothing at all says nothing."""
    required = operation.get("security")
    if required is None:
        yield "says nothing of security"
        return
    schemes = document["components"].get("securitySchemes", {})
    if any(name not in schemes for choice in required for name in choice):
        yield "needs a security scheme that is not defined"
    if len({str(choice) for choice in required}) < len(required):
        yield "names the same security twice"
    if required and "401" not in operation.get("responses", {}):
        yield "needs security, and has no 401"


def _content(document: Document, body: Mapping[str, Any]) -> Iterator[str]:
    """Every kind of body has an example, and every example is one of its schema."""
    for kind, content in body.get("content", {}).items():
        examples = _examples(content)
        if not examples:
            yield f"has no example of {kind}"
        schema = {**content.get("schema", {}), "components": document["components"]}
        for name, value in examples.items():
            for error in OAS31Validator(schema).iter_errors(value):
                yield f"has an example {name} that is none of {kind}: {error.message[:200]}"


def _examples(content: Mapping[str, Any]) -> dict[str, Any]:
    one = {"example": content["example"]} if "example" in content else {}
    return one | {name: example["value"] for name, example in content.get("examples", {}).items()}


def _problems(status: str, answer: Mapping[str, Any]) -> Iterator[str]:
    if not status.startswith(("4", "5")):
        return
    examples = _examples(answer.get("content", {}).get(MEDIA_TYPE, {}))
    if not examples:
        yield "shows no problem"
    for name, value in examples.items():
        if value.get("code") != name:
            yield f"has an example {name} with the code {value.get('code')}"
        if str(value.get("status")) != status:
            yield f"has an example {name} with the status {value.get('status')}"
