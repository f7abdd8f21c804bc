"""Every operation, found in the OpenAPI document that the application makes: what is new there is tried by itself."""

from dataclasses import dataclass, field
from typing import Any

from authapi import reference
from tests.support.contract.documents import operations

SAFE = ("GET", "HEAD", "OPTIONS")
NOBODYS = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Operation:
    """`body` is the example of the document; `places` and `headers` are names of parameters."""

    method: str
    path: str
    places: tuple[str, ...]
    headers: tuple[str, ...]
    body: dict[str, Any] | None = field(compare=False)
    needs_body: bool
    needs_token: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE

    def at(self, **places: str) -> str:
        """Its path. What is not told names nothing that there is."""
        return self.path.format(**dict.fromkeys(self.places, NOBODYS) | places)


def all_operations() -> list[Operation]:
    return [_operation(path, method, told) for path, method, told in operations(reference.document())]


def _operation(path: str, method: str, told: dict[str, Any]) -> Operation:
    def parameters(place: str) -> tuple[str, ...]:
        return tuple(each["name"] for each in told.get("parameters", ()) if each["in"] == place)

    content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Operation(
        method.upper(),
        path,
        parameters("path"),
        parameters("header"),
        content.get("example"),
        told.get("requestBody", {}).get("required", False),
        bool(told["security"]) and {} not in told["security"],
    )


OPERATIONS = all_operations()
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]
CHANGING = [operation for operation in OPERATIONS if not operation.is_safe]
OF_SOMEBODY = [operation for operation in OPERATIONS if operation.places and operation.needs_token]
"""What it is about has an owner."""
