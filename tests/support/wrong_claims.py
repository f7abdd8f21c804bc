"""Claims that must be refused although the real key signed them."""

from collections.abc import Callable
from typing import Any

from tests.support.forging import Forger, Tokens, dumped

HUGE = 10**300
LEEWAY = 30


def wrong_claims(f: Forger) -> Tokens:
    return {
        f"{name} {str(value)[:40]!r} ({type(value).__name__})": f.with_claims(**{name: value})
        for name, values in _values(f.claims).items()
        for value in values
    } | _absences(f)


NEEDED = ("iss", "aud", "exp", "iat", "sub", "sid", "auth_time", "amr", "email_verified")


def _absences(f: Forger) -> Tokens:
    return {f"{name} missing": f.without(name) for name in NEEDED}


def _values(good: dict[str, Any]) -> dict[str, list[Any]]:
    issuer, audience, issued, expires = good["iss"], good["aud"], good["iat"], good["exp"]
    person, session = good["sub"], good["sid"]
    no_text: list[Any] = [None, 0, True, [], {}, ""]
    no_number: list[Any] = [None, True, [], {}, "", 1.5]
    issuers = [
        issuer[:-1],
        issuer[1:],
        f"{issuer}/",
        f"{issuer}.evil.example",
        f" {issuer}",
        f"{issuer} ",
        f"{issuer}\0",
    ]
    issuers += [
        issuer.upper(),
        issuer.replace("http", "https"),
        f"https://evil.example/{issuer}",
        [issuer],
        {issuer: 1},
    ]
    audiences = [audience[:-1], audience[1:], f"{audience}2", f"my{audience}", audience.upper(), f"{audience} ", "*"]
    audiences += [[audience], [audience, "other"], ["other", audience], {audience: 1}, f"{audience},other"]
    late = [issued + LEEWAY + 60, issued + 3600, HUGE]
    early = [expires - 3601, issued - 86400, -1, -HUGE]
    return {
        "iss": [*issuers, *no_text],
        "aud": [*audiences, *no_text],
        "exp": [float(expires), str(expires), expires + 0.5, 1e308, HUGE, 2**53, 2**63, [expires], *no_number],
        "iat": [float(issued), str(issued), *late, *early, [issued], *no_number],
        "auth_time": [str(issued), float(issued), 1e308, [issued], *no_number],
        "sub": ["me", person[:-1], f"{person}0", person.replace("-", "_"), "g" * 32, [person], f"{person}\n", *no_text],
        "sid": ["me", session[:-1], f"{session}0", [session], f"{session}' OR 1=1", *no_text],
        "amr": [None, 0, 1, True, 1.5],
    }


def _raw(f: Forger) -> bytes:
    return dumped(f.claims)


TOLERATED: dict[str, Callable[[Forger], str]] = {
    "auth_time beyond any calendar": lambda f: f.with_claims(auth_time=10**30),
    "auth_time before any calendar": lambda f: f.with_claims(auth_time=-(10**30)),
    "amr a string": lambda f: f.with_claims(amr="pwd"),
    "amr an object": lambda f: f.with_claims(amr={"pwd": 1}),
    "amr of numbers": lambda f: f.with_claims(amr=[1]),
    "sub as URN": lambda f: f.with_claims(sub=f"urn:uuid:{f.claims['sub']}"),
    "sub in braces": lambda f: f.with_claims(sub=f"{{{f.claims['sub']}}}"),
    "sub without dashes": lambda f: f.with_claims(sub=f.claims["sub"].replace("-", "")),
    "sid in upper case": lambda f: f.with_claims(sid=f.claims["sid"].upper()),
    "email_verified a string": lambda f: f.with_claims(email_verified="true"),
    "jti missing": lambda f: f.without("jti"),
    "client_id missing": lambda f: f.without("client_id"),
    "nbf in the future": lambda f: f.with_claims(nbf=f.claims["exp"]),
    "sub twice": lambda f: f.make(claims=b'{"sub":"x",' + _raw(f)[1:]),
    "exp twice": lambda f: f.make(claims=b'{"exp":1,' + _raw(f)[1:]),
    "alg twice": lambda f: f.make(header=b'{"alg":"none",' + dumped(f.header)[1:]),
    "kid twice": lambda f: f.make(header=b'{"kid":"x",' + dumped(f.header)[1:]),
    "payload in UTF-16": lambda f: f.make(claims=_raw(f).decode().encode("utf-16")),
    "payload with a byte order mark": lambda f: f.make(claims=b"\xef\xbb\xbf" + _raw(f)),
    "header in UTF-32": lambda f: f.make(header=dumped(f.header).decode().encode("utf-32")),
    "NaN beside the claims": lambda f: f.make(claims=_raw(f)[:-1] + b',"x":NaN}'),
}
"""Should be refused and are not yet, or are answered with 500. The real key signed each of them."""
