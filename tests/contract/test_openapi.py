"""The OpenAPI document: whole, valid, the one in `openapi/`, and the one that is served."""

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from authapi import reference
from tests.support.contract.documents import JSON, faults, invalid
from tests.support.contract.source import ROOT

Document = dict[str, Any]
LOGIN = "/api/v1/auth/login"


def login(document: Document) -> Document:
    found: Document = document["paths"][LOGIN]["post"]
    return found


def an_answer(document: Document, status: str, kind: str) -> Document:
    found: Document = login(document)["responses"][status]["content"][kind]
    return found


def test_the_document_is_whole() -> None:
    assert faults(reference.document()) == []


def test_the_document_is_valid() -> None:
    assert invalid(reference.document()) == []


def test_a_document_that_is_not_valid_is_found() -> None:
    document = copy.deepcopy(dict(reference.document()))
    del document["info"]["version"]
    login(document)["requestBody"]["content"][JSON]["schema"] = {"$ref": "#/components/schemas/Planet"}
    missing, dangling = invalid(document)
    assert "version" in missing
    assert dangling == "#/components/schemas/Planet leads nowhere"


def test_the_document_is_the_one_that_is_published() -> None:
    assert (ROOT / "openapi" / "authapi.json").read_text(encoding="utf-8") == reference.authapi_json()


async def test_the_document_is_the_one_that_is_served(api: httpx.AsyncClient) -> None:
    assert (await api.get("/openapi.json")).json() == json.loads(reference.authapi_json())


PROBLEM = "application/problem+json"
SPOILS: dict[str, Callable[[Document], Any]] = {
    "POST /api/v1/auth/login has no operationId": lambda d: login(d).pop("operationId"),
    "logIn has no operationId in snake_case": lambda d: login(d).update(operationId="logIn"),
    "signup is the name of two operations": lambda d: login(d).update(operationId="signup"),
    "login has no summary": lambda d: login(d).pop("summary"),
    "login has no description": lambda d: login(d).update(description=""),
    "login has no tags": lambda d: login(d).pop("tags"),
    "login has a tag that is not described": lambda d: login(d).update(tags=["planets"]),
    "login says nothing of security": lambda d: login(d).pop("security"),
    "login needs a security scheme that is not defined": lambda d: login(d).update(security=[{"planet": []}]),
    "login names the same security twice": lambda d: login(d).update(security=[{}, {}]),
    "login has no answer for success": lambda d: login(d)["responses"].pop("200"),
    "login 200 has no body": lambda d: login(d)["responses"]["200"].pop("content"),
    "login 200 has no example": lambda d: an_answer(d, "200", JSON).pop("example"),
    "login 200 has an example example that is none": lambda d: an_answer(d, "200", JSON)["example"].pop("user"),
    "login body has no example": lambda d: login(d)["requestBody"]["content"][JSON].pop("example"),
    "login 401 shows no problem": lambda d: login(d)["responses"]["401"].pop("content"),
    "login 401 has an example invalid_credentials with the code planet": lambda d: an_answer(d, "401", PROBLEM)[
        "examples"
    ]["invalid_credentials"]["value"].update(code="planet"),
    "login 401 has an example invalid_credentials with the status 402": lambda d: an_answer(d, "401", PROBLEM)[
        "examples"
    ]["invalid_credentials"]["value"].update(status=402),
    "login does not tell of internal_error": lambda d: login(d)["responses"].pop("500"),
    "login takes values, and does not tell": lambda d: login(d)["responses"].pop("422"),
    "session needs security, and has no 401": lambda d: d["paths"]["/api/v1/auth/session"]["get"]["responses"].pop(
        "401"
    ),
    "the document has no security schemes": lambda d: d["components"].pop("securitySchemes"),
    "the document names no server": lambda d: d.pop("servers"),
    "does not explain its variables": lambda d: d["servers"][1].pop("variables"),
    "the document has FastAPI's HTTPValidationError": lambda d: d["components"]["schemas"].update(
        HTTPValidationError={}
    ),
}


@pytest.mark.parametrize("fault", SPOILS)
def test_what_the_document_lacks_is_found(fault: str) -> None:
    document = copy.deepcopy(dict(reference.document()))
    SPOILS[fault](document)
    assert [found for found in faults(document) if fault in found]
