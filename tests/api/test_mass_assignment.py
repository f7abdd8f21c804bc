"""A body sets what its call is about and nothing else (OWASP ASVS 5.0 v15.3.3; CVE-2025-61928).

The calls are those of the OpenAPI document, with the bodies that it shows.
"""

from typing import Any

import httpx
import pytest

from authapi.core.context import Context
from tests.api.test_problems_over_http import assert_problem
from tests.support.contract import leaks
from tests.support.hostile.document import WITH_BODY, Operation
from tests.support.people import Person, bearer
from tests.support.proof import Prove

PRIVILEGED: dict[str, Any] = {
    **dict.fromkeys(("is_admin", "admin", "isAdmin", "is_staff", "is_superuser", "superuser", "is_root", "root"), True),
    **dict.fromkeys(("role", "roles", "group", "groups", "permissions", "scope_", "scopes", "plan", "tenant"), "admin"),
    **dict.fromkeys(("id", "user_id", "userId", "uid", "sub", "owner_id", "account_id", "tenant_id", "client_id"), "1"),
    **dict.fromkeys(
        ("sid", "session_id", "jti", "token_hash", "salt", "generation", "key_id", "kid", "iss", "aud"), "1"
    ),
    **dict.fromkeys(("email_verified", "emailVerified", "is_verified", "verified", "is_guest", "is_active"), True),
    **dict.fromkeys(("email_key", "password_hash", "hash", "credential_id", "method", "methods", "amr", "acr"), "pwd"),
    **dict.fromkeys(("email_verified_at", "created_at", "authenticated_at", "auth_time", "rotated_at"), "2026-11-20"),
    **dict.fromkeys(("replayed_at", "ended_at", "disabled_at", "idle_expires_at", "absolute_expires_at"), None),
    **dict.fromkeys(("idle_lifetime", "expires_in", "exp", "credits", "balance", "end_reason", "ended_by"), 2**31),
    **dict.fromkeys(("ip", "user_agent", "label", "request_id", "__proto__", "constructor", "class", "__class__"), "x"),
}


async def ask(ada: Person, operation: Operation, **content: Any) -> httpx.Response:
    path = operation.at(**dict.fromkeys(operation.places, ada.session_id))
    return await ada.api.request(operation.method, path, headers=bearer(ada.access_token), **content)


def test_there_are_more_than_sixty_names() -> None:
    assert len(PRIVILEGED) > 60


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_a_privileged_name_in_a_body_is_refused_and_has_no_effect(
    ada: Person, ctx: Context, operation: Operation, prove: Prove
) -> None:
    before = await leaks.tables(ctx)
    body = operation.body or {}
    accepted = []
    for name in PRIVILEGED.keys() - body:
        reply = await ask(ada, operation, json={**body, name: PRIVILEGED[name]})
        faults = reply.json().get("errors", []) if reply.status_code == 422 else []
        if [fault["pointer"] for fault in faults] != [f"/{name}"]:
            accepted.append(name)
    is_unchanged = await leaks.tables(ctx) == before
    assert (await ada.session()).status_code == 200
    prove(
        "H-mass-assignment",
        f"{len(PRIVILEGED.keys() - body)} privileged names in the body of {operation}",
        number=len(accepted),
        bar="0 of at least 60 accepted, no effect in any table",
        passed=accepted == [] and is_unchanged,
    )


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_names_are_told_apart_by_case_and_by_spaces(ada: Person, ctx: Context, operation: Operation) -> None:
    body = operation.body or {}
    before = await leaks.tables(ctx)
    for name, value in body.items():
        for other in (name.upper(), name.title(), f" {name}", f"{name} ", name.replace("_", "-"), f"{name}[]"):
            if other != name:
                assert_problem(await ask(ada, operation, json={**body, other: value}), 422, "invalid_request")
    assert await leaks.tables(ctx) == before


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
async def test_values_in_the_query_or_in_a_form_are_not_read(ada: Person, ctx: Context, operation: Operation) -> None:
    before = await leaks.tables(ctx)
    values = {name: str(value) for name, value in (operation.body or {}).items()}
    if operation.needs_body:
        assert_problem(await ask(ada, operation, params=values), 422, "invalid_request")
    assert_problem(await ask(ada, operation, data=values), 415, "unsupported_media_type")
    assert await leaks.tables(ctx) == before


@pytest.mark.parametrize("name", ["remember_me"])
@pytest.mark.parametrize("value", ["true", "false", 1, 0, "yes", None, [], {}, 1.0])
async def test_no_type_is_guessed(ada: Person, name: str, value: object) -> None:
    for operation in WITH_BODY:
        if name not in (operation.body or {}):
            continue
        reply = await ask(ada, operation, json={**(operation.body or {}), name: value})
        errors = assert_problem(reply, 422, "invalid_request")["errors"]
        assert errors[0]["pointer"] == f"/{name}"
