"""Access tokens: their shape (RFC 9068), and the seconds at which they begin and cease to be good."""

import re
import time
from uuid import UUID

import httpx
import pytest

from authapi.core.context import Context
from tests.conftest import Start
from tests.support.forging import decode, forger, parts
from tests.support.outside import MovedClock
from tests.support.people import PREFIX, Person, bearer, log_in, sign_up

ALGORITHMS = {"ES256": 64, "EdDSA": 64, "RS256": 256}
"""Bytes of a signature."""

CLAIMS = {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "auth_time", "amr", "email_verified"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_has_the_header_of_rfc_9068_and_no_more(start: Start, algorithm: str) -> None:
    _, api = await start(signing_algorithm=algorithm)
    ada = await sign_up(api)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", ada.access_token, re.ASCII)
    header, _, signature = parts(ada.access_token)
    assert header.keys() == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == (algorithm, "at+jwt")
    assert header["kid"] in [key["kid"] for key in (await api.get("/.well-known/jwks.json")).json()["keys"]]
    assert len(signature) == ALGORITHMS[algorithm]
    assert len(ada.access_token) < 1200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_claims_who_where_when_and_how(start: Start, algorithm: str) -> None:
    _, api = await start(
        signing_algorithm=algorithm, issuer="https://auth.example.com", audience="shop", client_id="web"
    )
    ada = await sign_up(api)
    claims = parts(ada.access_token)[1]
    assert claims.keys() == CLAIMS
    assert (claims["iss"], claims["aud"], claims["client_id"]) == ("https://auth.example.com", "shop", "web")
    assert claims["sub"] == ada.tokens["user"]["id"] == str(UUID(claims["sub"]))
    assert claims["sid"] == ada.session_id == str(UUID(claims["sid"]))
    assert UUID(claims["jti"]).version == 7
    assert (claims["amr"], claims["email_verified"]) == (["pwd"], False)
    assert [type(claims[name]) for name in ("iat", "exp", "auth_time")] == [int, int, int]
    assert claims["exp"] - claims["iat"] == 900 == ada.tokens["expires_in"]
    assert abs(claims["iat"] - time.time()) < 60
    assert claims["auth_time"] == claims["iat"]


async def test_a_token_holds_nothing_of_the_person_but_their_id(ada: Person) -> None:
    payload = decode(ada.access_token.split(".")[1]).decode()
    for secret in ("ada@example.com", "example.com", ada.refresh_token, ada.credentials["password"]):
        assert secret not in payload


async def test_no_two_tokens_have_the_same_id(ada: Person) -> None:
    seen = {parts(ada.access_token)[1]["jti"]}
    for _ in range(20):
        await ada.refresh()
        seen.add(parts(ada.access_token)[1]["jti"])
    assert len(seen) == 21


async def test_a_refresh_keeps_the_time_of_sign_in(ada: Person, clock: MovedClock) -> None:
    before = parts(ada.access_token)[1]
    clock.advance(hours=3)
    await ada.refresh()
    after = parts(ada.access_token)[1]
    assert after["auth_time"] == before["auth_time"]
    assert after["iat"] >= before["iat"] + 3 * 3600
    assert after["amr"] == before["amr"]
    assert (after["sub"], after["sid"]) == (before["sub"], before["sid"])


async def test_a_new_sign_in_has_a_time_and_a_session_of_its_own(ada: Person, clock: MovedClock) -> None:
    clock.advance(hours=3)
    claims = parts((await log_in(ada.api)).access_token)[1]
    assert claims["auth_time"] == claims["iat"]
    assert claims["sid"] != ada.session_id


@pytest.mark.parametrize("lifetime", [60, 900, 3600])
async def test_a_token_is_good_for_thirty_seconds_after_its_end_and_no_longer(
    start: Start, clock: MovedClock, lifetime: int
) -> None:
    _, api = await start(access_token_lifetime=lifetime)
    ada = await sign_up(api)
    clock.advance(seconds=lifetime + 29 - 0.9)  # `exp` is a whole second, up to one before the lifetime is over
    assert (await ada.session()).status_code == 200
    clock.advance(seconds=2.9)
    reply = await ada.session()
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (401, "access_token_expired", "refresh")


async def test_a_token_from_a_clock_that_is_a_little_ahead_is_good(
    ada: Person, ctx: Context, clock: MovedClock
) -> None:
    clock.advance(seconds=-25)
    assert (await ada.session()).status_code == 200
    clock.advance(seconds=-10)
    assert (await ada.session()).json()["code"] == "access_token_invalid"


async def test_a_token_may_live_no_longer_than_any_setting_allows(api: httpx.AsyncClient, ctx: Context) -> None:
    """Not than this instance's own: while the setting is being changed, others issue longer ones."""
    f = forger(ctx, await sign_up(api))
    issued = f.claims["iat"]
    for more, status in {900: 200, 3600: 200, 3601: 401, 86400: 401}.items():
        reply = await api.get(f"{PREFIX}/session", headers=bearer(f.with_claims(exp=issued + more)))
        assert reply.status_code == status, more


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(ada: Person, scheme: str) -> None:
    reply = await ada.api.get(f"{PREFIX}/session", headers={"Authorization": f"{scheme} {ada.access_token}"})
    assert reply.status_code == 200


@pytest.mark.parametrize("where", ["query", "cookie", "x-access-token", "form"])
async def test_a_token_is_read_from_the_authorization_header_only(ada: Person, where: str) -> None:
    token = ada.access_token
    asked = {
        "query": {"params": {"access_token": token}},
        "cookie": {"headers": {"Cookie": f"access_token={token}"}},
        "x-access-token": {"headers": {"X-Access-Token": token}},
        "form": {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
    }[where]
    reply = await ada.api.request("GET", f"{PREFIX}/session", **asked)  # type: ignore[arg-type]
    assert (reply.status_code, reply.json()["code"]) == (401, "token_missing")


async def test_two_authorization_headers_are_malformed(ada: Person) -> None:
    pair = [("Authorization", f"Bearer {ada.access_token}"), ("Authorization", f"Bearer {ada.access_token}")]
    reply = await ada.api.get(f"{PREFIX}/session", headers=pair)
    assert (reply.status_code, reply.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("changes", [{"session_absolute_lifetime": 3600}, {"session_idle_lifetime": 300}])
async def test_no_access_token_outlives_its_session(start: Start, clock: MovedClock, changes: dict[str, int]) -> None:
    _, api = await start(**changes)
    ada = await sign_up(api)
    if "session_absolute_lifetime" in changes:
        clock.advance(seconds=3590)
        assert (await ada.refresh()).status_code == 200
    clock.advance(seconds=345)
    assert (await ada.refresh()).json()["code"] == "session_expired"
    assert (await ada.session()).status_code == 401
