"""What belongs to another person is not there, and nothing is to be had without a token (ASVS 5.0 v8.2.2)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from authapi.core.context import Context
from tests.support.contract import leaks
from tests.support.hostile.document import OF_SOMEBODY, OPERATIONS, Operation
from tests.support.people import ADA, BOB, Person, bearer, log_in, sign_up
from tests.support.proof import Prove

OWNED: dict[str, Callable[[Person], str]] = {"session_id": lambda person: person.session_id}
"""What a person has, by the name of the parameter that names it. A new one has to be told here."""

PUBLIC = {"GET /problems/{code}"}


def other_spellings(id: str) -> list[str]:
    bare = id.replace("-", "")
    return [id.upper(), bare, bare.upper(), f"{{{id}}}", f"urn:uuid:{id}", f"%20{id}", f"{id}%20", f"{id}%0a", f"{id}/"]


async def ask(api: httpx.AsyncClient, operation: Operation, path: str, token: str | None) -> httpx.Response:
    return await api.request(operation.method, path, json=operation.body, headers=bearer(token) if token else None)


def told(reply: httpx.Response) -> tuple[int, dict[str, Any]]:
    """Without what differs from call to call."""
    return reply.status_code, {name: value for name, value in reply.json().items() if name != "request_id"}


def test_every_route_with_an_owner_is_tried() -> None:
    """Each operation that names something in its path is one of somebody, or public on purpose."""
    assert {str(operation) for operation in OPERATIONS if operation.places} == {
        *map(str, OF_SOMEBODY),
        *PUBLIC,
    }
    assert {place for operation in OF_SOMEBODY for place in operation.places} == set(OWNED)
    assert len(OF_SOMEBODY) >= 2


@pytest.mark.parametrize("operation", OF_SOMEBODY, ids=str)
async def test_only_the_owner_reaches_it(
    api: httpx.AsyncClient, ctx: Context, ada: Person, operation: Operation, prove: Prove
) -> None:
    bob, phone = await sign_up(api, BOB), await log_in(api, ADA)
    place = {name: OWNED[name](bob) for name in operation.places}
    before = await leaks.tables(ctx)
    strange = told(await ask(api, operation, operation.at(), ada.access_token))
    theirs = told(await ask(api, operation, operation.at(**place), ada.access_token))
    nobody = [
        await ask(api, operation, operation.at(**place), token) for token in (None, "", "x.y.z", bob.refresh_token)
    ]
    odd = [
        await ask(api, operation, operation.at(**{name: spelling}), token)
        for name, id in place.items()
        for spelling in other_spellings(id)
        for token in (ada.access_token, None)
    ]
    refused = {reply.status_code for reply in nobody}
    unchanged = await leaks.tables(ctx) == before
    assert theirs == strange, "it can be told from something that is not there"
    assert {reply.status_code for reply in odd} <= {401, 404, 422, 307}
    own = await ask(
        api, operation, operation.at(**{name: OWNED[name](phone) for name in operation.places}), ada.access_token
    )
    prove(
        "H-objects",
        f"{operation} of what is another person's, also in other spellings; without a token; by the owner",
        number=f"{theirs[0]} for another, {sorted(refused)} for nobody, {own.status_code} for the owner",
        bar="404 for another, 401 for nobody, nothing changed; 2xx for the owner",
        passed=theirs[0] == 404
        and refused == {401}
        and unchanged
        and own.is_success
        and (await bob.session()).status_code == 200,
    )


async def test_a_list_holds_only_what_is_ones_own(api: httpx.AsyncClient, ada: Person) -> None:
    """Every answer to Ada, and none has anything of Bob's in it."""
    bob = await sign_up(api, BOB)
    for operation in OPERATIONS:
        if operation.is_safe and operation.needs_token:
            reply = await ask(api, operation, operation.at(), ada.access_token)
            assert reply.is_success
            for secret in (bob.session_id, BOB["email"], str(bob.tokens["user"]["id"])):
                assert secret not in reply.text, operation
