"""Schemathesis against a real process: no call answers anything that the document does not say."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import SECRET
from tests.support.hostile.links import linked, walking
from tests.support.people import PREFIX, bearer
from tests.support.processes import serving
from tests.support.proof import Prove

MEMBER = {"email": "member@example.net", "password": "unlike any of the examples"}
"""Not Ada, whose address and password are the examples of the document: they would be locked out and changed."""

SOME, MANY = 25, 50
"""Examples of each operation; with `--prove`, many."""

WALKS, STEPS = 8, 12
MANY_WALKS, MANY_STEPS = 150, 20

BOUNDED = examples(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def url(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": postgres_url,
        "AUTHAPI_REDIS_URL": redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
        "AUTHAPI_LOG_LEVEL": "warning",
    }
    with serving(environment, tmp_path_factory.mktemp("logs") / "service.log") as url:
        yield url


@pytest.fixture(scope="module")
def document(url: str) -> schemathesis.BaseSchema:
    httpx.post(f"{url}{PREFIX}/signup", json=MEMBER)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.config.update(base_url=url)
    return schema


def answer_as_documented(document: Any, mode: GenerationMode, headers: Callable[[], dict[str, str]], times: int) -> int:
    """Asks every operation, with all checks of Schemathesis. Returns how many requests that took.

    One check is left out: what makes a password weak or an address no address, no schema can say.
    Not by `document.parametrize()`: Schemathesis 4.32 sets an attribute that pytest 9.2 no longer has.
    """
    asked = 0
    for result in document.get_all_operations():
        operation: APIOperation[Any, Any, Any, Any] = result.ok()

        @seed(0)
        @examples(BOUNDED, max_examples=times)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(headers=headers(), excluded_checks=[positive_data_acceptance])

        try:
            ask()
        except Unsatisfiable:  # there is nothing to get wrong in a call without parameters
            assert mode is GenerationMode.NEGATIVE
    return asked


@pytest.fixture
def times(is_proof: bool) -> int:
    return MANY if is_proof else SOME


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", GenerationMode, ids=str)
def test_a_stranger_gets_only_what_the_document_says(
    document: Any, mode: GenerationMode, times: int, prove: Prove
) -> None:
    asked = answer_as_documented(document, mode, dict, times)
    prove(
        "H-schemathesis",
        f"{asked} {mode} requests of a stranger to every operation, all checks of Schemathesis",
        number=0,
        bar="0 answers that the document does not have, of at least 50",
        passed=asked >= 50,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", GenerationMode, ids=str)
def test_somebody_signed_in_gets_only_what_the_document_says(
    document: Any, url: str, mode: GenerationMode, times: int, prove: Prove
) -> None:
    asked = answer_as_documented(document, mode, lambda: bearer(access_token(url)), times)
    prove(
        "H-schemathesis",
        f"{asked} {mode} requests of somebody signed in to every operation, all checks of Schemathesis",
        number=0,
        bar="0 answers that the document does not have, of at least 50",
        passed=asked >= 50,
    )


@pytest.mark.timeout(300)
def test_so_does_who_goes_from_answer_to_call(document: Any, url: str, is_proof: bool, prove: Prove) -> None:
    """Schemathesis's stateful mode: ids as it infers them, refresh tokens by our own links."""
    told = linked(httpx.get(f"{url}/openapi.json").json())
    schema = schemathesis.openapi.from_dict(told)
    schema.config.update(base_url=url)
    walk = walking(schema.as_state_machine(), url, MEMBER)
    walks, steps = (MANY_WALKS, MANY_STEPS) if is_proof else (WALKS, STEPS)
    while (left := walks - walk.begun) > 0:
        with suppress(FlakyStrategyDefinition):  # where one can go on to depends on what the service answers
            seed(walk.begun)(walk).run(settings=examples(BOUNDED, max_examples=left, stateful_step_count=steps))
    assert walk.faults == []
    served = {call for call in walk.followed if call.endswith((" 200", " 201", " 204"))}
    assert len(served) >= 5
    if is_proof:
        assert {f"POST {PREFIX}/{path}" for path in ("login 200", "refresh 200", "logout 204")} <= served
    asked = walk.followed.total()
    prove(
        "H-schemathesis-stateful",
        f"{asked} requests along the links of the document, {len(served)} kinds of them served",
        number=0,
        bar="0 answers that the document does not have",
        passed=asked >= walks,
    )


def access_token(url: str) -> str:
    """Of a session that may be ended by any call: another one then."""
    token = _token(url)
    if httpx.get(f"{url}{PREFIX}/session", headers=bearer(token)).status_code != 200:
        _token.cache_clear()
        token = _token(url)
    return token


@cache
def _token(url: str) -> str:
    return str(httpx.post(f"{url}{PREFIX}/login", json=MEMBER).json()["access_token"])
