"""Tokens that must be refused: another algorithm, another signature, another key, another header, another form."""

import json
from itertools import combinations
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from authapi.core.signing import SigningKey, make_private_key
from tests.support.forging import Forge, Forger, Tokens, decode, dumped, encode

WRONG_ALGORITHMS: list[Any] = [
    *("none", "None", "NONE", "nOnE", "null", "", " ", "HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384"),
    *("PS512", "ES256K", "ES384", "ES512", "ES521", "Ed25519", "Ed448", "es256", "ES256 ", " ES256", "ES256\0"),
    *("A128KW", "dir", "RSA-OAEP", "PBES2-HS256+A128KW", "ECDH-ES", "ML-DSA-44", "RS1", "\uff25S256", "rs256", "eddsa"),
    *(None, 0, 256, 1.5, True, ["ES256"], ["none"], {"alg": "ES256"}, [], {}),
]


def algorithms(f: Forger) -> Tokens:
    body = f.token.split(".")[1]
    made: Tokens = {}
    for wrong in [*WRONG_ALGORITHMS, *sorted({"ES256", "EdDSA", "RS256"} - {f.key.algorithm})]:
        head = encode(dumped(f.header | {"alg": wrong}))
        made[f"alg {wrong!r}, signed"] = f.sign(f"{head}.{body}")
        made[f"alg {wrong!r}, not signed"] = f"{head}.{body}."
        made[f"alg {wrong!r}, some signature"] = f"{head}.{body}.{encode(b'x' * 64)}"
    bare = {name: value for name, value in f.header.items() if name != "alg"}
    made["alg missing"] = f.make(header=bare)
    for name, secret in f.public_bytes().items():
        made |= {f"{mac} with {name}": f.with_mac(secret, mac) for mac in ("HS256", "HS384", "HS512")}
    if f.key.algorithm == "RS256":  # another algorithm of the same kind of key (CVE-2026-48523)
        for other in ("RS384", "RS512", "PS256", "PS384"):
            made[f"truly {other}, said to be RS256"] = f.sign(f.signed_part, algorithm=other)
            head = encode(dumped(f.header | {"alg": other}))
            made[f"truly {other}, and says so"] = f.sign(f"{head}.{body}", algorithm=other)
    return made


def signatures(f: Forger) -> Tokens:
    good, text = f.signature, f.signed_part
    half = len(good) // 2
    r, s = good[:half], good[half:]
    forged = {
        "one zero byte": b"\0",
        "zeros": bytes(len(good)),
        "ones": b"\xff" * len(good),
        "halves swapped": s + r,
        "first half zero": bytes(half) + s,
        "second half zero": r + bytes(half),
        "first half twice": r + r,
        "extended": good + b"\0",
        "led by a zero": b"\0" + good,
        "twice": good + good,
        "as DER": encode_dss_signature(int.from_bytes(r), int.from_bytes(s)),
        "r and s one": (1).to_bytes(half) * 2,
    }
    forged |= {f"cut by {n}": good[:-n] for n in (1, 2, 3, 8, half, len(good) - 1)}
    forged |= {f"begun at {n}": good[n:] for n in (1, 2, half)}
    for bit in range(0, len(good) * 8, len(good) * 8 // 24):
        forged[f"bit {bit} flipped"] = (int.from_bytes(good) ^ 1 << bit).to_bytes(len(good))
    made = {f"signature {name}": f"{text}.{encode(data)}" for name, data in forged.items()}
    others = [SigningKey("x", name, make_private_key(name)) for name in ("ES256", "EdDSA", "RS256")]
    made |= {f"signed by a stranger, {key.algorithm}": f.sign(text, key) for key in [*others, f.stranger]}
    made["signed by the next key"] = f.sign(text, f.next)
    made["no signature"] = f"{text}."
    made["two segments"] = text
    for name, value in {"sub": "a", "sid": "b", "exp": 2**31, "email_verified": True, "amr": ["mfa"]}.items():
        payload = encode(dumped(f.claims | {name: value}))
        made[f"{name} changed under the old signature"] = f"{f.token.split('.')[0]}.{payload}.{encode(good)}"
    spaced = encode(json.dumps(f.claims).encode())
    made["the same claims, spaced"] = f"{f.token.split('.')[0]}.{spaced}.{encode(good)}"
    made["signed without the header"] = f"{text}.{f.sign(text.split('.')[1]).rpartition('.')[2]}"
    return made


def key_ids(f: Forger) -> Tokens:
    kid = f.key.kid
    wrong: list[Any] = [
        *("", " ", "unknown", kid.swapcase(), f"{kid} ", f" {kid}", f"{kid}\0", f"\0{kid}", kid[:-1], kid[1:], kid * 2),
        *(
            "../../dev/null",
            "/dev/null",
            "file:///dev/null",
            "..\\..\\nul",
            f.url,
            "' OR '1'='1",
            "x' UNION SELECT 'k' --",
        ),
        *(f"{kid}'; DROP TABLE signing_keys; --", f"{kid}\r\nX: y", "\ud83d\udd11", kid.replace(kid[0], "\u0430", 1)),
        *(
            "__proto__",
            "constructor",
            "*",
            "%",
            "current",
            "next",
            "0",
            "null",
            "k" * 2000,
            "{}",
            "[0]",
            "$(id)",
            "`id`",
        ),
        *(None, 0, 1, -1, 1.5, True, False, [], [kid], {}, {"kid": kid}, [[kid]], f.stranger.kid),
    ]
    made = {f"kid {str(value)[:40]!r} ({type(value).__name__})": f.with_header(kid=value) for value in wrong}
    made["kid missing"] = f.make(header={"alg": f.key.algorithm, "typ": "at+jwt"})
    made["kid of the next key"] = f.with_header(kid=f.next.kid)
    made["kid of the stranger, signed by them"] = f.make(header=f.header | {"kid": f.stranger.kid}, key=f.stranger)
    return made


def _extra(f: Forger) -> dict[str, Any]:
    certificate = encode(b"certificate")
    return {
        "jku": f.url,
        "x5u": f.url,
        "jwk": f.stranger.jwk(),
        "x5c": [certificate],
        "x5t": certificate,
        "x5t#S256": certificate,
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "p2c": 2**31,
        "p2s": certificate,
        "enc": "A256GCM",
        "epk": f.stranger.jwk(),
        "apu": "",
        "apv": "",
        "iv": "",
        "tag": "",
        "cty": "JWT",
        "iss": "x",
        "nonce": "x",
        "url": f.url,
        "x": None,
        "": "",
        "ALG": "none",
        "Kid": f.stranger.kid,
        "trust_chain": [],
        "__proto__": {},
    }


def headers(f: Forger) -> Tokens:
    """Headers that name keys or change rules, each signed by the real key: refused all the same."""
    extra = _extra(f)
    made = {f"header {name!r}": f.with_header(**{name: value}) for name, value in extra.items()}
    for left, right in combinations(list(extra)[:10], 2):
        made[f"headers {left}, {right}"] = f.with_header(**{left: extra[left], right: extra[right]})
    crits: list[Any] = [[], ["b64"], ["jku"], ["alg"], ["typ", "kid"], "exp", None, [None], {}, ["x"] * 100]
    for crit in crits:
        made[f"crit {str(crit)[:30]}"] = f.with_header(crit=crit)
    made["crit and what it names"] = f.with_header(crit=["b64"], b64=True)
    for name in ("jwk", "jku", "x5u", "x5c"):
        stranger = f.header | {name: extra[name], "kid": f.stranger.kid}
        made[f"the stranger's key in {name}"] = f.make(header=stranger, key=f.stranger)
        made[f"the stranger's key in {name}, our kid"] = f.make(header=f.header | {name: extra[name]}, key=f.stranger)
    return made


def types(f: Forger) -> Tokens:
    wrong: list[Any] = [
        *("JWT", "jwt", "JOSE", "JOSE+JSON", "", " ", "at+jwt ", " at+jwt", "at+jwt\0", "at+jwt\n", "at jwt", "at_jwt"),
        *("at%2Bjwt", "application/jwt", "application/application/at+jwt", "text/at+jwt", "application/", "id+jwt"),
        *("logout+jwt", "dpop+jwt", "rt+jwt", "secevent+jwt", "at+jwt;v=1", "at+jwt,JWT", "at+jws", "at", "at+jwtx"),
        *("\uff41t+jwt", "xat+jwt", "access_token", None, 0, 1, True, [], ["at+jwt"], {}, {"typ": "at+jwt"}),
    ]
    made = {f"typ {value!r}": f.with_header(typ=value) for value in wrong}
    made["typ missing"] = f.make(header={"alg": f.key.algorithm, "kid": f.key.kid})
    return made


def forms(f: Forger) -> Tokens:
    head, body, tail = f.token.split(".")
    flat = {"protected": head, "payload": body, "signature": tail}
    general = {"payload": body, "signatures": [{"protected": head, "signature": tail}]}
    made = {
        "flattened JSON": json.dumps(flat),
        "general JSON": json.dumps(general),
        "flattened JSON without a signature": json.dumps({"payload": body}),
        "nested": f.make(claims=f.token.encode()),
        "nested in JSON": f.make(claims=dumped(f.token)),
        "five segments": f"{f.token}.{body}.{tail}",
        "four segments": f"{f.token}.{tail}",
        "an empty fourth segment": f"{f.token}.",
        "an empty first segment": f".{f.token}",
        "one segment": head,
        "three dots": "...",
        "empty segments": "..",
        "no header": f".{body}.{tail}",
        "no payload": f"{head}..{tail}",
        "twice": f.token + f.token,
        "twice, with a comma": f"{f.token},{f.token}",
        "quoted": f'"{f.token}"',
        "with the scheme again": f"Bearer {f.token}",
        "encoded whole": encode(f.token.encode()),
        "upper case": f.token.upper(),
        "reversed": f.token[::-1],
        "percent-encoded dots": f.token.replace(".", "%2E"),
        "too long": f.make(claims=f.claims | {"pad": "x" * 4096}),
    }
    for name, mark in {"space": " ", "tab": "\t", "line": "\n", "return": "\r\n", "NUL": "\0", "pad": "="}.items():
        for index, part in enumerate((head, body, tail)):
            segments = [head, body, tail]
            segments[index] = part[:8] + mark + part[8:]
            made[f"a {name} in segment {index}"] = ".".join(segments)
            segments[index] = part + mark
            if index < 2 or mark not in " \t\r\n":
                made[f"a {name} after segment {index}"] = ".".join(segments)
    return made | _encodings(f) | _contents(f)


def _encodings(f: Forger) -> Tokens:
    """The same bytes in another text, signed by the real key where the text is what is signed (RFC 7515 §2)."""
    made: Tokens = {}
    tail = f.token.rpartition(".")[2]
    for spaces in range(3):
        head, body = dumped(f.header) + b" " * spaces, dumped(f.claims) + b" " * spaces
        for name, other in OTHERS.items():
            made[f"{name} in the header, {spaces}"] = f.sign(f"{other(encode(head))}.{encode(body)}")
            made[f"{name} in the payload, {spaces}"] = f.sign(f"{encode(head)}.{other(encode(body))}")
    made["loose bits in the signature"] = f"{f.signed_part}.{_loose(tail)}"
    made["padding of the signature"] = f"{f.signed_part}.{_padded(tail)}"
    made["plain base64"] = f.sign(f"{encode(dumped(f.header))}.{encode(dumped(f.claims))}+/")
    kept = {f.make(header=dumped(f.header) + b" " * n) for n in range(3)}
    return {name: token for name, token in made.items() if token != f.token and token not in kept}


def _loose(text: str) -> str:
    """Sets bits that decode to nothing; adds a character that does where there are none."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = {2: 4, 3: 2}.get(len(text) % 4)
    if spare is None:
        return text + "A"
    other = text[:-1] + alphabet[alphabet.index(text[-1]) | 1]
    assert decode(other) == decode(text)
    return other


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4 or 4)


def _contents(f: Forger) -> Tokens:
    """Signed by the real key, but no JSON object."""
    other: list[bytes] = [b"[]", b"1", b"null", b'""', b"true", b"{", b"{}x", b"'", b"\xff", b"\x1f\x8b", b"[" * 2000]
    deep = b'{"a":' * 500 + b"1" + b"}" * 500
    made = {f"header {data[:8]!r}": f.make(header=data) for data in [*other, b"{}", deep]}
    return made | {f"payload {data[:8]!r}": f.make(claims=data) for data in [*other, b"{}", deep]}


def _lined(text: str) -> str:
    return text + "\n"


OTHERS = {"loose bits": _loose, "padding": _padded, "newline": _lined}
GROUPS: list[Forge] = [algorithms, signatures, key_ids, headers, types, forms]
