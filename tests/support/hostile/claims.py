"""Every claim with every value that it cannot have: signed by the real key, under the old signature, by a stranger."""

from itertools import product
from typing import Any

from tests.support.forging import Forge, Forger, Json, Tokens, dumped, encode

CLAIMS = ("iss", "aud", "sub", "client_id", "iat", "exp", "jti", "sid", "auth_time", "amr", "email_verified")
TIMES = ("iat", "exp", "auth_time")
FREE_TEXTS = ("jti", "client_id")
"""Any string is good: only their being there is asked for."""

NO_JSON = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"01",
    b"+1",
    b"0x10",
    b".5",
    b"1.",
    b"1_0",
    b"'x'",
    b"",
]
NO_JSON += [b"undefined", b"nil", b"True", b"[1,]", b"{,}", b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"']
NO_JSON += [b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\n"', b'"\\x41"', b"9" * 21, b"-" + b"9" * 21, b"[" * 17 + b"]" * 17]
NO_JSON += [b'{"a":1,"a":1}', b"1 // x", b"/**/1", b"1;"]


def mutated(f: Forger) -> dict[str, Json]:
    """Claims of which one is wrong, by what is wrong with it."""
    made: dict[str, Json] = {}
    for name in CLAIMS:
        good = f.claims[name]
        for value in _wrong(name, good):
            shown = str(value)
            made[f"{name} {shown[:40]!r} of {len(shown)} ({type(value).__name__})"] = f.claims | {name: value}
        made[f"no {name}"] = {key: f.claims[key] for key in f.claims if key != name}
        made[f"{name} in capitals"] = {(key.upper() if key == name else key): f.claims[key] for key in f.claims}
    return made


def _wrong(name: str, good: Any) -> list[Any]:
    kinds: list[Any] = [
        None,
        True,
        False,
        0,
        1,
        -1,
        0.5,
        "",
        "null",
        [],
        [None],
        [[]],
        {},
        {"": ""},
        [good],
        {name: good},
    ]
    kinds += [10**18, -(10**18), 10**19, 1e308, 5e-324, [good, good], [good, "x"], {"$ne": None}, {"$gt": ""}]
    found = [value for value in kinds if not _may_be(name, value)]
    if isinstance(good, str) and name not in FREE_TEXTS:
        found += [good + end for end in (" ", "\n", "\t", "/", ".", "x", "\u200b", "%00", "#", "?", ";", ",")]
        found += [
            f" {good}",
            good[1:],
            good[:-1],
            good[::-1],
            good * 2,
            "x" * 2000,
            "*",
            "%",
            "\U0001f511",
            "' OR 1=1 --",
        ]
    elif isinstance(good, str):
        found += [10**18, [good, "x"]]
    elif name in TIMES:
        found += [str(good), float(good), f"{good}s", f"0{good}", good + 0.5, good * 1000 + 0.0, hex(good)]
    if name in ("iat", "exp"):
        found += [good * 1000, good * 10**6, good + 40 * 365 * 86400, 2**31 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 10**19]
    return found


def _may_be(name: str, value: Any) -> bool:
    """Whether a value is wrong in meaning only, which the real key has vouched for."""
    if name in FREE_TEXTS:
        return isinstance(value, str)
    if name == "auth_time":
        return type(value) is int and abs(value) < 2**32
    return (name == "email_verified" and isinstance(value, bool)) or (name == "amr" and value == [])


def signed(f: Forger) -> Tokens:
    """By the real key: a mistake of our own must not let anybody in either."""
    return {f"signed: {name}": f.make(claims=claims) for name, claims in mutated(f).items()}


def unsigned(f: Forger) -> Tokens:
    head, _, tail = f.token.split(".")
    return {f"unsigned: {name}": f"{head}.{encode(dumped(each))}.{tail}" for name, each in mutated(f).items()}


def promoted(f: Forger) -> Tokens:
    """What an attacker would write in: another person, another session, more rights, more time."""
    head, _, tail = f.token.split(".")
    wishes: dict[str, list[Any]] = {
        "sub": [
            "00000000-0000-4000-8000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            f.claims["sid"],
            "admin",
        ],
        "sid": ["00000000-0000-4000-8000-000000000000", f.claims["sub"], f.claims["jti"]],
        "exp": [f.claims["exp"] + 1, f.claims["exp"] + 600, 2**31 - 1],
        "iat": [f.claims["iat"] + 1, f.claims["iat"] - 1],
        "auth_time": [f.claims["auth_time"] + 600],
        "email_verified": [True],
        "amr": [["pwd", "otp", "mfa"], ["hwk"]],
        **{
            name: [True, "admin", ["*"], {"admin": True}]
            for name in ("role", "roles", "scope", "admin", "groups", "act")
        },
    }
    made: Tokens = {}
    for name, value in ((name, value) for name, values in wishes.items() for value in values):
        text = encode(dumped(f.claims | {name: value}))
        made[f"{name} {value!r}, old signature"] = f"{head}.{text}.{tail}"
        made[f"{name} {value!r}, by a stranger"] = f.make(claims=f.claims | {name: value}, key=f.stranger)
        made[f"{name} {value!r}, no signature"] = f"{head}.{text}."
        made[f"{name} {value!r}, alg none"] = f"{encode(dumped(f.header | {'alg': 'none'}))}.{text}."
    return made


def texts(f: Forger) -> Tokens:
    """Values that are no JSON (RFC 8259, RFC 7493), and members of the same name, in claims and header; all signed."""
    made: Tokens = {}
    for name, value in product((*CLAIMS, "x"), NO_JSON):
        made[f"{name} is {value[:24]!r}"] = f.make(claims=_replaced(dumped(f.claims), name, f.claims, value))
    for name, value in product((*f.header, "x"), NO_JSON):
        made[f"header {name} is {value[:24]!r}"] = f.make(header=_replaced(dumped(f.header), name, f.header, value))
    for part, values in (("claims", f.claims), ("header", f.header)):
        for name in values:
            for twin in (dumped(name), b'"\\u%04x' % ord(name[0]) + name[1:].encode() + b'"'):
                pair = twin + b":" + dumped(values[name])
                made[f"{name} twice, {twin!r} first"] = f.with_text(part, b"{" + pair + b"," + dumped(values)[1:])
                made[f"{name} twice, {twin!r} last"] = f.with_text(part, dumped(values)[:-1] + b"," + pair + b"}")
    return made


def _replaced(text: bytes, name: str, values: Json, value: bytes) -> bytes:
    if name not in values:
        return text[:-1] + b"," + dumped(name) + b":" + value + b"}"
    old = dumped({name: values[name]})[1:-1]
    assert old in text
    return text.replace(old, dumped(name) + b":" + value)


GROUPS: list[Forge] = [signed, unsigned, promoted, texts]
