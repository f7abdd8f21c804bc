"""Thousands of forged access tokens, made by rule: none is accepted, nothing breaks, and nobody is asked for a key.

OWASP ASVS 5.0 v9.1 and v9.2; RFC 8725; RFC 7515, 7516, 7519, 7520, 7797 and 8037 for what is published.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from jwt.algorithms import get_default_algorithms

from authapi.core.context import Context
from authapi.core.signing import KeyRing, NotOurs, SigningKey, UnknownKey
from authapi.sessions import tokens
from authapi.sessions.errors import AccessTokenExpired, AccessTokenInvalid
from tests.conftest import Start
from tests.support import forgeries, hostile
from tests.support.contract import leaks
from tests.support.forging import Forger, dumped, encode, forger, parts
from tests.support.hostile import claims, envelopes, headers, numbers
from tests.support.hostile.outbound import Trap, watched
from tests.support.people import PREFIX, bearer, sign_up
from tests.support.proof import Prove
from tests.support.wrong_claims import wrong_claims

ALGORITHMS = ("ES256", "EdDSA", "RS256")
GROUPS = [*forgeries.GROUPS, wrong_claims, *headers.GROUPS, numbers.numbers, *claims.GROUPS, *envelopes.GROUPS]
AT_ONCE = 50
EVERY = 50
"""Of the short form, one in so many goes over HTTP; all of them are read."""

PUBLISHED: dict[str, Any] = json.loads(Path(hostile.__file__).with_name("published.json").read_text())


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


def accepted(ctx: Context, forged: Mapping[str, str]) -> list[str]:
    """What is believed, or raises anything but a refusal."""
    found = []
    for name, token in forged.items():
        try:
            tokens.read(ctx, token)
            found.append(name)
        except (AccessTokenInvalid, AccessTokenExpired, UnknownKey):
            continue
    return found


async def accepted_over_http(api: httpx.AsyncClient, forged: Mapping[str, str]) -> dict[str, int]:
    """Whatever gets another answer than 401, or 431 where it is longer than headers may be.

    Blanks at the end of a header's line are no part of its value (RFC 9110 §5.5).
    """
    found: dict[str, int] = {}

    async def ask(name: str, token: str) -> None:
        reply = await api.get(f"{PREFIX}/session", headers=[(b"Authorization", b"Bearer " + token.encode("utf-8"))])
        if reply.status_code != (401 if len(token) < 15_000 else 431) or "user" in reply.json():
            found[name] = reply.status_code

    names = [name for name, token in forged.items() if token == token.rstrip()]
    for start in range(0, len(names), AT_ONCE):
        await asyncio.gather(*(ask(name, forged[name]) for name in names[start : start + AT_ONCE]))
    return found


def all_forged(f: Forger) -> dict[str, str]:
    """Each text once, by the group and the trick that made it first."""
    named = {token: f"{group.__name__}: {name}" for group in reversed(GROUPS) for name, token in group(f).items()}
    return {name: token for token, name in named.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_no_forged_access_token_is_accepted(
    start: Start, trap: Trap, algorithm: str, prove: Prove, is_proof: bool
) -> None:
    ctx, api = await start(signing_algorithm=algorithm)
    f = forger(ctx, await sign_up(api), url=trap.url)
    forged = all_forged(f)
    assert len(forged) == len(set(forged.values())) > 1500
    assert f.token not in forged.values()
    before = await leaks.tables(ctx)
    with watched(ctx.settings.database_url, ctx.settings.redis_url) as gone:
        believed = accepted(ctx, forged)
        asked = forged if is_proof else {name: forged[name] for name in list(forged)[::EVERY]}
        answered = await accepted_over_http(api, asked)
    assert (believed, answered) == ([], {})
    assert (gone, trap.visitors()) == (set(), 0)
    assert await leaks.tables(ctx) == before
    assert (await api.get(f"{PREFIX}/session", headers=bearer(f.token))).status_code == 200
    prove(
        f"H-jwt-{algorithm.lower()}",
        f"{len(forged)} forged access tokens where {algorithm} signs, {len(asked)} of them over HTTP",
        number=len(believed) + len(answered) + trap.visitors(),
        bar="0 of at least 1,500 accepted, 0 connections to where they say a key is, 0 rows changed",
        passed=True,
    )


async def test_the_watch_sees_who_goes_out(ctx: Context, trap: Trap) -> None:
    """Else its silence would mean nothing."""
    with watched(ctx.settings.database_url) as gone:
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.TimeoutException):
                await client.get(trap.url, timeout=0.2)
        await leaks.tables(ctx)
    assert {place for place in gone if place.startswith("socket.connect")} == {
        f"socket.connect {trap.url.split('/')[2]}"
    }
    assert trap.visitors() == 1


@pytest.mark.parametrize("size", [5_000, 1_000_000])
async def test_a_token_of_any_length_is_refused_before_it_is_read(start: Start, size: int) -> None:
    ctx, api = await start()
    f = forger(ctx, await sign_up(api))
    for pad in (f.with_claims(pad="x" * size), f.with_header(pad="x" * size), f"{f.token}{'A' * size}", "." * size):
        assert accepted(ctx, {"long": pad}) == []
        assert await accepted_over_http(api, {"long": pad}) == {}


async def test_the_mirrored_signature_is_the_same_token_and_dies_with_it(start: Start) -> None:
    """RFC 7518 does not say which of the two signatures of ECDSA is right: who holds a token can write it in two ways.

    Nothing is gained: neither the session nor its end is kept by the text of a token.
    """
    ctx, api = await start()
    ada = await sign_up(api)
    f = forger(ctx, ada)
    mirrored = numbers.mirrored(f)
    assert mirrored != f.token
    assert numbers.mirrored(Forger(mirrored, f.key, f.next)) == f.token
    assert tokens.read(ctx, mirrored) == tokens.read(ctx, f.token)
    assert (await api.get(f"{PREFIX}/session", headers=bearer(mirrored))).status_code == 200
    await ada.log_out()
    replies = [await api.get(f"{PREFIX}/session", headers=bearer(token)) for token in (f.token, mirrored)]
    assert [(reply.status_code, reply.json()["code"]) for reply in replies] == [(401, "session_ended")] * 2


async def test_published_examples_are_refused(start: Start, prove: Prove) -> None:
    """Those of the RFCs: good signatures and bad ones, encrypted, unencoded, in JSON, without a signature."""
    examples: dict[str, str] = PUBLISHED["tokens"]
    assert len(examples) > 60
    ctx, api = await start()
    await sign_up(api)
    found = [*accepted(ctx, examples), *(await accepted_over_http(api, examples))]
    prove(
        "H-jose-vectors",
        f"{len(examples)} tokens that RFC 7515, 7516, 7519, 7520, 7797 and 8037 print",
        number=len(found),
        bar="0 accepted",
        passed=not found,
    )


@pytest.mark.parametrize(
    ("name", "algorithm"), [("RFC 7515 A.2", "RS256"), ("RFC 7515 A.3", "ES256"), ("RFC 8037 A.4", "EdDSA")]
)
def test_a_published_signature_is_right_and_its_token_is_refused_by_the_ring_that_has_its_key(
    name: str, algorithm: str
) -> None:
    """The signature itself verifies: what refuses the token is that it is no access token of ours."""
    implementation: Any = get_default_algorithms()[algorithm]
    private = implementation.from_jwk(PUBLISHED["keys"][name])
    ring = KeyRing()
    ring.replace([SigningKey("published", algorithm, private)], current="published")
    token: str = PUBLISHED["tokens"][name]
    head, body, _ = token.split(".")
    signature = parts_of(token)
    assert implementation.verify(f"{head}.{body}".encode(), private.public_key(), signature)
    ours = {"alg": algorithm, "kid": "published", "typ": "at+jwt"}
    for forged in (token, f"{encode(dumped(ours))}.{body}.{encode(signature)}"):
        with pytest.raises(NotOurs):
            ring.read(forged)
    assert ring.read(ring.sign({"iss": "joe"})) == {"iss": "joe"}


def parts_of(token: str) -> bytes:
    """The signature; the payload of RFC 8037 is no JSON."""
    return parts(f"e30.e30.{token.rpartition('.')[2]}")[2]
