"""Other services verify our access tokens with libraries that know nothing of us, by the key set alone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
import uvicorn
from fastapi import FastAPI
from joserfc import jwt as jose
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import KeySet
from jwt import PyJWKClient
from jwt.exceptions import InvalidAudienceError, InvalidIssuerError, InvalidSignatureError, PyJWKClientError

from authapi.app import create_app
from authapi.sessions import keys, pulse
from tests.conftest import Start
from tests.support.forging import Forger, forger, keys_of, parts
from tests.support.outside import MovedClock
from tests.support.people import Person, sign_up

ALGORITHMS = ["ES256", "EdDSA", "RS256"]
JWKS = "/.well-known/jwks.json"


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The app behind a real socket of the loopback; yields its URL."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


async def fetched(url: str) -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{url}{JWKS}")).json()


def by_pyjwt(client: PyJWKClient, token: str, **changes: Any) -> dict[str, Any]:
    key = client.get_signing_key_from_jwt(token)
    wanted = {"audience": "authapi", "issuer": "http://127.0.0.1:8000"} | changes
    options = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"]}
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=ALGORITHMS, options=options, **wanted)  # type: ignore[arg-type]
    return claims


def by_joserfc(key_set: Any, token: str, algorithm: str) -> dict[str, Any]:
    decoded = jose.decode(token, KeySet.import_key_set(key_set), algorithms=[algorithm])
    claims = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": "http://127.0.0.1:8000"},
        aud={"essential": True, "value": "authapi"},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    claims.validate(decoded.claims)
    assert decoded.header["typ"] == "at+jwt"
    return dict(decoded.claims)


async def forger_at(start: Start, algorithm: str) -> tuple[FastAPI, Person, Forger]:
    ctx, api = await start(signing_algorithm=algorithm)
    ada = await sign_up(api)
    return create_app(ctx), ada, forger(ctx, ada)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_pyjwt_verifies_a_token_by_the_url_of_the_keys(start: Start, algorithm: str) -> None:
    app, ada, f = await forger_at(start, algorithm)
    async with listening(app) as url:
        client = PyJWKClient(f"{url}{JWKS}")
        assert await asyncio.to_thread(by_pyjwt, client, ada.access_token) == f.claims
        with pytest.raises(InvalidAudienceError):
            await asyncio.to_thread(by_pyjwt, client, ada.access_token, audience="other")
        with pytest.raises(InvalidIssuerError):
            await asyncio.to_thread(by_pyjwt, client, ada.access_token, issuer="https://other.example")
        with pytest.raises(InvalidSignatureError):
            await asyncio.to_thread(by_pyjwt, client, f.make(key=f.stranger))
        with pytest.raises(PyJWKClientError):
            await asyncio.to_thread(by_pyjwt, client, f.with_header(kid="unknown"))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_joserfc_verifies_a_token_by_the_keys(start: Start, algorithm: str) -> None:
    app, ada, f = await forger_at(start, algorithm)
    async with listening(app) as url:
        key_set = await fetched(url)
    assert by_joserfc(key_set, ada.access_token, algorithm) == f.claims
    with pytest.raises(BadSignatureError):
        by_joserfc(key_set, f.make(key=f.stranger), algorithm)
    for other in {*ALGORITHMS, "HS256"} - {algorithm}:
        with pytest.raises((JoseError, ValueError)):
            by_joserfc(key_set, ada.access_token, other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_key_set_says_how_each_key_is_used_and_nothing_private(start: Start, algorithm: str) -> None:
    ctx, api = await start(signing_algorithm=algorithm)
    members = {"ES256": {"crv", "x", "y"}, "EdDSA": {"crv", "x"}, "RS256": {"n", "e"}}[algorithm]
    key_set = (await api.get(JWKS)).json()
    assert key_set.keys() == {"keys"}
    assert {key["kid"] for key in key_set["keys"]} == set(keys_of(ctx))
    for key in key_set["keys"]:
        assert key.keys() == {"kty", "kid", "use", "alg"} | members
        assert (key["alg"], key["use"]) == (algorithm, "sig")
        assert key["kty"] == {"ES256": "EC", "EdDSA": "OKP", "RS256": "RSA"}[algorithm]
    for key in KeySet.import_key_set(key_set).keys:
        assert not key.is_private


async def test_who_cached_the_keys_before_a_rotation_verifies_the_tokens_after_it(
    start: Start, clock: MovedClock
) -> None:
    ctx, api = await start()
    ada = await sign_up(api)
    async with listening(create_app(ctx)) as url:
        client = PyJWKClient(f"{url}{JWKS}", lifespan=3600)
        cached = await fetched(url)
        await asyncio.to_thread(by_pyjwt, client, ada.access_token)
    clock.advance(seconds=keys.MAX_AGE + keys.FOLLOW + 1)
    await keys.rotate(ctx)
    await pulse.beat(ctx)
    before = parts(ada.access_token)[0]["kid"]
    await ada.refresh()
    assert parts(ada.access_token)[0]["kid"] != before
    clock.advance(seconds=-(keys.MAX_AGE + keys.FOLLOW + 1))
    later = jwt.decode(  # nobody listens any more: the cached keys must do
        ada.access_token, client.get_signing_key_from_jwt(ada.access_token), algorithms=["ES256"], options=IGNORING_TIME
    )
    assert later["sid"] == ada.session_id
    decoded = jose.decode(ada.access_token, KeySet.import_key_set(cached), algorithms=["ES256"])
    assert decoded.claims["sid"] == ada.session_id


IGNORING_TIME: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
"""The tests' clock was moved, and theirs was not."""
