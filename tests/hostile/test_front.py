"""What a real process does with bytes that no client of ours sends: a problem or a closed connection, and nothing else.

RFC 8259 and RFC 7493 for bodies, RFC 9112 for heads; ASVS 5.0 v4.2.1, v15.3.
"""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from authapi.core.context import Context
from tests.support.contract import leaks
from tests.support.hostile import heads
from tests.support.hostile.bodies import WRONG_TYPES, bodies
from tests.support.hostile.document import CHANGING, WITH_BODY, Operation
from tests.support.hostile.wires import Answer, Service, exchange, post
from tests.support.people import ADA, BOB
from tests.support.proof import Prove

SOME, MANY = 80, 3_000
A_MOMENT = 1.0
"""Seconds after which a service that waits for the rest of a request has not answered."""


@pytest.mark.timeout(300)
async def test_no_body_is_served_that_is_not_what_a_route_takes(
    service: Service, database: Context, prove: Prove, is_proof: bool
) -> None:
    before, told = await leaks.tables(database), list[int]()

    @examples(
        max_examples=MANY if is_proof else SOME,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data(), operation=st.sampled_from(WITH_BODY))
    def ask(data: Any, operation: Operation) -> None:
        body = data.draw(bodies(operation.body or {}))
        path = operation.at().encode()
        request = post(operation.at(), body).replace(b"POST " + path, f"{operation.method} ".encode() + path, 1)
        (answer,) = exchange(service, request)
        told.append(answer.status)
        assert answer.is_refusal, answer

    await asyncio.to_thread(ask)
    faults = service.faults()
    prove(
        "H-json-front",
        f"{len(told)} bodies over raw connections: no JSON, other encodings, NUL, halves of surrogates, NaN, huge "
        f"numbers, deep nesting, names twice, other types",
        number=f"{len(faults)} faults, answers {sorted(set(told))}",
        bar="each a 4xx problem, no 5xx, no traceback, nothing written",
        passed=faults == [] and await leaks.tables(database) == before,
    )


async def test_no_media_type_but_json_is_read(service: Service, database: Context) -> None:
    before = await leaks.tables(database)
    for operation in (operation for operation in CHANGING if operation.method == "POST"):
        body = json.dumps(operation.body or {}).encode()
        for media_type in WRONG_TYPES:
            (answer,) = exchange(service, post(operation.at(), body, media_type))
            assert (answer.status, answer.problem["code"]) == (415, "unsupported_media_type"), (operation, media_type)
        if operation.needs_body:
            (answer,) = exchange(service, post(operation.at(), b""))
            assert answer.status in (401, 422)
    assert (service.faults(), await leaks.tables(database)) == ([], before)


@pytest.mark.timeout(300)
async def test_no_head_that_lies_is_believed(service: Service, database: Context, prove: Prove) -> None:
    wrong: dict[str, list[Answer]] = {}
    requests = heads.requests(json.dumps(BOB).encode())

    def ask(name: str) -> None:
        request = requests[name]
        answers = (
            exchange(service, request.data) if request.ends else exchange(service, request.data, patience=A_MOMENT)
        )
        if len(answers) > 1 or not all(answer.is_refusal for answer in answers):
            wrong[name] = answers

    await asyncio.gather(*(asyncio.to_thread(ask, name) for name in requests))
    assert wrong == {}
    (answer,) = exchange(service, post("/api/v1/auth/signup", json.dumps(ADA).encode()))
    assert answer.status == 201, "the body that none of them could bring in is a good one"
    faults = service.faults()
    written = [name for name, rows in (await leaks.tables(database)).items() if BOB["email"] in rows]
    prove(
        "H-heads",
        f"{len(requests)} requests: lengths and chunks that lie, {heads.MEGABYTES} MB, 1,000 headers, a header of "
        "200 KB, a URL of 64 KB, other protocols",
        number=len(wrong) + len(faults) + len(written),
        bar="each a 4xx problem or a closed connection, one answer at most, no 5xx, nothing written",
        passed=faults == [] and written == [],
    )
