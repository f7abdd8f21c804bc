"""A body sets what its call is about and nothing else (OWASP ASVS 15.3.3; CVE-2025-61928)."""

from typing import Any

import pytest
from sqlalchemy import text

from authapi.core.context import Context
from tests.api.test_problems_over_http import assert_problem
from tests.support.calls import BODIES, Call
from tests.support.people import Person, bearer

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


async def rows(ctx: Context) -> list[list[Any]]:
    """What people and sessions there are, to the last column."""
    statements = [f"SELECT t::text FROM {table} AS t ORDER BY 1" for table in ("users", "sessions", "credentials")]
    async with ctx.db() as tx:
        return [list((await tx.scalars(text(statement))).all()) for statement in statements]


def test_there_are_more_than_sixty_names() -> None:
    assert len(PRIVILEGED) > 60


@pytest.mark.parametrize("call", BODIES, ids=str)
async def test_a_privileged_name_in_a_body_is_refused_and_has_no_effect(ada: Person, ctx: Context, call: Call) -> None:
    before = await rows(ctx)
    body = dict(call.body)
    if "refresh_token" in body:
        body["refresh_token"] = ada.refresh_token
    for name, value in PRIVILEGED.items():
        reply = await ada.api.request(
            call.method, call.path, json={**body, name: value}, headers=bearer(ada.access_token)
        )
        errors = assert_problem(reply, 422, "invalid_request")["errors"]
        assert [error["pointer"] for error in errors] == [f"/{name}"]
    assert await rows(ctx) == before
    assert (await ada.session()).status_code == 200


@pytest.mark.parametrize("call", BODIES, ids=str)
async def test_names_are_told_apart_by_case_and_by_spaces(ada: Person, ctx: Context, call: Call) -> None:
    before = await rows(ctx)
    for name, value in call.body.items():
        for other in (name.upper(), name.title(), f" {name}", f"{name} ", name.replace("_", "-"), f"{name}[]"):
            if other != name:
                body = {**call.body, other: value}
                reply = await ada.api.request(call.method, call.path, json=body, headers=bearer(ada.access_token))
                assert_problem(reply, 422, "invalid_request")
    assert await rows(ctx) == before


@pytest.mark.parametrize("call", BODIES, ids=str)
async def test_values_in_the_query_or_in_a_form_are_not_read(ada: Person, ctx: Context, call: Call) -> None:
    before = await rows(ctx)
    values = {name: str(value) for name, value in call.body.items()}
    headers = bearer(ada.access_token)
    if not call.path.endswith(("logout", "resend")):  # their bodies may be absent
        reply = await ada.api.request(call.method, call.path, params=values, headers=headers)
        assert_problem(reply, 422, "invalid_request")
    reply = await ada.api.request(call.method, call.path, data=values, headers=headers)
    assert_problem(reply, 415, "unsupported_media_type")
    assert await rows(ctx) == before


@pytest.mark.parametrize("name", ["remember_me"])
@pytest.mark.parametrize("value", ["true", "false", 1, 0, "yes", None, [], {}, 1.0])
async def test_no_type_is_guessed(ada: Person, name: str, value: object) -> None:
    for call in BODIES[:2]:
        reply = await ada.api.request(call.method, call.path, json={**call.body, name: value})
        errors = assert_problem(reply, 422, "invalid_request")["errors"]
        assert errors[0]["pointer"] == f"/{name}"
