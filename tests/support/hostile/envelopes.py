"""The same token in another text: other base64, other encodings of its JSON, other forms, encrypted, nested."""

import gzip
import json
import zlib
from base64 import b32encode, b64encode, b85encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from tests.support.forging import Forge, Forger, Tokens, dumped, encode

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MARKS = (" ", "\t", "\n", "\r", "\0", "=", "+", "/", "%", ".", ",", "~", "\u200b", "\ufeff", "\u00e9", "\uff21", "\x7f")
ENCODINGS = ("utf-7", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp037")


def marks(f: Forger) -> Tokens:
    """A character that a lenient decoder passes over, in front of, in and behind each segment; signed as it stands."""
    made: Tokens = {}
    for index, mark in product(range(3), MARKS):
        part = f.token.split(".")[index]
        for place in (0, 1, len(part) // 2, len(part) - 1, len(part)):
            changed = part[:place] + mark + part[place:]
            if (index, place, mark) != (2, len(part), "\n"):  # what ends a header's line never reaches the service
                made[f"{mark!r} at {place} of segment {index}"] = _with(f, index, changed)
    return made


def _with(f: Forger, index: int, segment: str) -> str:
    """Signed anew where the segment is one that is signed."""
    segments = f.token.split(".")
    segments[index] = segment
    if index == 2:
        return ".".join(segments)
    return f.sign(".".join(segments[:2]))


def alphabets(f: Forger) -> Tokens:
    """The same bytes in other bases, and every way to set the bits that decode to nothing (RFC 4648 §3.5)."""
    made: Tokens = {}
    bases: dict[str, Callable[[bytes], bytes]] = {
        "base64": b64encode,
        "padded": urlsafe_b64encode,
        "base32": b32encode,
        "base85": b85encode,
        "hexadecimal": lambda data: data.hex().encode(),
    }
    for (name, base), spaces in product(bases.items(), range(4)):
        head, body = dumped(f.header) + b" " * spaces, dumped(f.claims) + b" " * spaces
        for index, data in enumerate((head, body, f.signature)):
            text = base(data).decode()
            if text != encode(data):
                made[f"{name} in segment {index}, {spaces}"] = _with(f, index, text)
        for index, data in enumerate((head, body)):
            made |= {
                f"loose bits {bits} in segment {index}, {spaces}": _with(f, index, text)
                for bits, text in enumerate(_loose(encode(data)))
            }
    made |= {
        f"loose bits {bits} in the signature": _with(f, 2, text)
        for bits, text in enumerate(_loose(encode(f.signature)))
    }
    made |= {
        f"segment {index} percent-encoded": _with(f, index, f"%{ord(part[0]):02X}{part[1:]}")
        for index, part in enumerate(f.token.split("."))
    }
    return made


def _loose(text: str) -> Iterator[str]:
    for bits in range(1, {2: 16, 3: 4}.get(len(text) % 4, 1)):
        yield text[:-1] + ALPHABET[ALPHABET.index(text[-1]) | bits]


def codings(f: Forger) -> Tokens:
    """Claims and header in other encodings, compressed, or with something before and behind; signed by the real key."""
    made: Tokens = {}
    for part, values in (("header", f.header), ("claims", f.claims)):
        text = json.dumps(values)
        found = {name: text.encode(name) for name in ENCODINGS if text.encode(name) != text.encode()}
        found |= {
            "gzip": gzip.compress(text.encode()),
            "zlib": zlib.compress(text.encode()),
            "raw": text.encode()[1:-1],
        }
        found |= {
            f"led by {mark!r}": mark + text.encode()
            for mark in (b"\0", b"\x0b", b"\xef\xbb\xbf", b"\xa0", b")]}',\n", b"/**/")
        }
        found |= {
            f"then {mark!r}": text.encode() + mark
            for mark in (b"\0", b",", b"}", b"{}", b"//", b"\xff", b"\xe2\x80\xa8")
        }
        found |= {
            "a list of it": f"[{text}]".encode(),
            "a text of it": dumped(text),
            "quotes": text.replace('"', "'").encode(),
        }
        found |= {
            "a comma more": text.encode()[:-1] + b",}",
            "single value": b"1",
            "yaml": text.replace(",", "\n").encode()[1:-1],
        }
        found |= {f"nested {depth} deep": _nested(values, depth) for depth in (16, 17, 100, 999)}
        made |= {f"{part}: {name}": f.with_text(part, data) for name, data in found.items()}
    return made


def _nested(values: dict[str, Any], depth: int) -> bytes:
    """With another member that has so many levels of its own."""
    return dumped(values)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"


def serializations(f: Forger) -> Tokens:
    """JSON forms (RFC 7515 §7.2, CVE-2026-28802), detached and nested ones, and what stands around a token."""
    head, body, tail = f.token.split(".")
    one = {"protected": head, "signature": tail}
    stranger = f.make(key=f.stranger).rpartition(".")[2]
    forms: dict[str, Any] = {
        "flattened": {"payload": body, **one},
        "flattened, header unprotected": {"payload": body, "header": f.header, "signature": tail},
        "flattened, no signature": {"payload": body, "protected": head},
        "flattened, empty signature": {"payload": body, "protected": head, "signature": ""},
        "flattened, alg none unprotected": {"payload": body, "header": {"alg": "none"}, "signature": ""},
        "general": {"payload": body, "signatures": [one]},
        "general, no signatures": {"payload": body, "signatures": []},
        "general, the stranger's first": {
            "payload": body,
            "signatures": [{"protected": head, "signature": stranger}, one],
        },
        "general, ours first": {"payload": body, "signatures": [one, {"protected": head, "signature": stranger}]},
        "both forms": {"payload": body, **one, "signatures": [one]},
    }
    made = {f"JSON, {name}": json.dumps(form) for name, form in forms.items()}
    made |= {f"JSON in base64, {name}": encode(dumped(form)) for name, form in forms.items()}
    made |= {f"JSON as payload, {name}": f.make(claims=dumped(form)) for name, form in forms.items()}
    made |= {
        f"JSON as payload, typ {name}": f.make(f.header | {"cty": "JWT"}, dumped(form)) for name, form in forms.items()
    }
    around = [
        ("Bearer ", ""),
        ('"', '"'),
        ("[", "]"),
        ("<", ">"),
        ("", ";"),
        ("token=", ""),
        ("", ".."),
        (".", ""),
        ("", "~"),
        ("", "~~"),
    ]
    made |= {f"between {before!r} and {after!r}": f"{before}{f.token}{after}" for before, after in around}
    segments = {"head": head, "body": body, "tail": tail, "nothing": ""}
    for order in product(segments, repeat=3):
        if order != ("head", "body", "tail"):
            made[" . ".join(order)] = ".".join(segments[name] for name in order)
    inner = f.token
    for depth in range(1, 6):
        inner = f.make(f.header | ({"cty": "JWT"} if depth % 2 else {}), claims=inner.encode())
        made[f"nested {depth} times"] = inner
    return made


def encrypted(f: Forger) -> Tokens:
    """JWE (RFC 7516): truly encrypted for the service's public key, and of the form alone."""
    made: Tokens = {}
    for algorithm, key in (("ECDH-ES", ECKey), ("ECDH-ES+A128KW", ECKey), ("RSA-OAEP", RSAKey)):
        if {"ES256": ECKey, "RS256": RSAKey}.get(f.key.algorithm) is key:
            public: Any = key.import_key({**f.key.jwk(), "use": "enc", "alg": algorithm})
            for content, plain in product(("A128GCM", "A128CBC-HS256"), (f.token.encode(), dumped(f.claims))):
                header = {"alg": algorithm, "enc": content, "kid": f.key.kid, "typ": "at+jwt", "cty": "JWT"}
                made[f"{algorithm}, {content}, {plain[:4]!r}"] = jwe.encrypt_compact(
                    header, plain, public, [algorithm, content]
                )
    algorithms = (
        "dir",
        "A128KW",
        "A256GCMKW",
        "RSA1_5",
        "RSA-OAEP",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
        "none",
        f.key.algorithm,
    )
    for algorithm, content in product(algorithms, ("A128GCM", "A256CBC-HS512", "none", "")):
        head = encode(dumped(f.header | {"alg": algorithm, "enc": content}))
        _, body, tail = f.token.split(".")
        made[f"form of {algorithm}, {content}"] = f"{head}..{encode(bytes(12))}.{body}.{encode(bytes(16))}"
        made[f"form of {algorithm}, {content}, signed"] = f"{f.sign(f'{head}.{body}')}..{tail}"
    return made


GROUPS: list[Forge] = [marks, alphabets, codings, serializations, encrypted]
