"""No forged access token is accepted, and none breaks anything (OWASP ASVS 9.1, 9.2; RFC 8725)."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from authapi.core.context import Context
from authapi.sessions import tokens
from authapi.sessions.errors import AccessTokenInvalid
from tests.conftest import Start
from tests.support.forgeries import GROUPS
from tests.support.forging import Forger, forger, keys_of
from tests.support.people import PREFIX, bearer, sign_up
from tests.support.wrong_claims import TOLERATED, wrong_claims

ALGORITHMS = ["ES256", "EdDSA", "RS256"]
REFUSED = (401, "access_token_invalid")


async def forger_of(start: Start, algorithm: str) -> tuple[Context, httpx.AsyncClient, Forger]:
    ctx, api = await start(signing_algorithm=algorithm)
    return ctx, api, forger(ctx, await sign_up(api))


async def answers(api: httpx.AsyncClient, forged: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    told: dict[str, tuple[int, str]] = {}

    async def ask(name: str, token: str) -> None:
        reply = await api.get(f"{PREFIX}/session", headers=bearer(token))
        told[name] = (reply.status_code, reply.json().get("code", "accepted"))

    await asyncio.gather(*(ask(name, token) for name, token in forged.items()))
    return told


def wrongly(told: Mapping[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    return {name: answer for name, answer in told.items() if answer != REFUSED}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_no_forgery_is_accepted(start: Start, algorithm: str) -> None:
    """Of what is in `tests/hostile` besides, the codes of the answers are not looked at."""
    _, api, f = await forger_of(start, algorithm)
    for group in [*GROUPS, wrong_claims]:
        assert wrongly(await answers(api, group(f))) == {}, group.__name__
    assert (await api.get(f"{PREFIX}/session", headers=bearer(f.token))).status_code == 200


async def test_a_refusal_says_what_to_do_and_nothing_of_the_token(start: Start) -> None:
    _, api, f = await forger_of(start, "ES256")
    for forged in (f.with_header(kid="canary-1234"), f.with_claims(iss="canary-1234"), "canary-1234"):
        reply = await api.get(f"{PREFIX}/session", headers=bearer(forged))
        assert reply.json()["action"] == "refresh"
        assert reply.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        assert "canary" not in reply.text + str(reply.headers)


@pytest.mark.parametrize("exp", [0, -1, -(10**12), 1])
async def test_what_expired_long_ago_is_refused(start: Start, exp: int) -> None:
    _, api, f = await forger_of(start, "ES256")
    reply = await api.get(f"{PREFIX}/session", headers=bearer(f.with_claims(exp=exp)))
    assert (reply.status_code, reply.json()["code"]) == (401, "access_token_expired")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
async def test_the_type_may_be_written_as_rfc_9068_allows(start: Start, typ: str) -> None:
    _, api, f = await forger_of(start, "ES256")
    assert (await api.get(f"{PREFIX}/session", headers=bearer(f.with_header(typ=typ)))).status_code == 200


async def test_the_next_key_is_accepted_before_it_signs(start: Start) -> None:
    _, api, f = await forger_of(start, "ES256")
    token = f.make(header=f.header | {"kid": f.next.kid}, key=f.next)
    assert (await api.get(f"{PREFIX}/session", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("size", [5_000, 17_000, 1_000_000])
async def test_a_key_id_of_any_length_is_refused_without_work(start: Start, size: int) -> None:
    ctx, api, f = await forger_of(start, "ES256")
    forged = f.with_header(kid="k" * size)
    with pytest.raises(AccessTokenInvalid):
        tokens.read(ctx, forged)
    reply = await api.get(f"{PREFIX}/session", headers=bearer(forged))
    assert reply.status_code == (401 if size < 8_000 else 431)


@pytest.mark.parametrize(
    "text", ["\u00e9" * 9, "a.b.\u0430", "\ud800.a.b", "\0.\0.\0", "a.b.c\n", " a.b.c", "a.b.c ", ""]
)
def test_a_text_that_is_no_token_is_refused_and_never_an_error(ctx: Context, text: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        tokens.read(ctx, text)


async def test_a_forged_token_moves_no_session(start: Start) -> None:
    _, api, f = await forger_of(start, "ES256")
    forged = f.make(header=f.header, key=f.stranger)
    for scope in ("this", "others", "all"):
        reply = await api.post(f"{PREFIX}/logout", json={"scope": scope}, headers=bearer(forged))
        assert (reply.status_code, reply.json()["code"]) == REFUSED
    reply = await api.delete(f"{PREFIX}/sessions/{f.claims['sid']}", headers=bearer(forged))
    assert (reply.status_code, reply.json()["code"]) == REFUSED
    assert (await api.get(f"{PREFIX}/session", headers=bearer(f.token))).status_code == 200


async def test_the_key_of_another_service_is_refused(start: Start) -> None:
    ctx, api, f = await forger_of(start, "ES256")
    assert f.stranger.kid not in keys_of(ctx)
    told = await answers(api, {"theirs": f.make(key=f.stranger), "theirs, named": f.make(f.header | {"kid": "x"})})
    assert wrongly(told) == {}


@pytest.mark.parametrize("name", TOLERATED)
async def test_what_is_never_issued_is_refused_although_the_real_key_signed_it(start: Start, name: str) -> None:
    _, api, f = await forger_of(start, "ES256")
    assert wrongly(await answers(api, {name: TOLERATED[name](f)})) == {}
