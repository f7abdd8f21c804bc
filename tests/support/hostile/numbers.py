"""Signatures whose numbers a careless verifier takes: zeros, the order of the group, padding that nobody checks."""

from hashlib import sha1, sha256, sha384, sha512
from itertools import product

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.forging import Forger, Tokens, encode

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_FIELD = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
P256_X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
"""The base point's (FIPS 186-5, SP 800-186 §3.2.1.3)."""

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = [
    *("0100000000000000000000000000000000000000000000000000000000000000", "00" * 32, "00" * 31 + "80"),
    *("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "01" + "00" * 30 + "80"),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    *("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "ff" * 32),
]
"""Points of order 1, 2, 4 and 8, canonical and not; anything may verify under them where nobody looks."""

OIDS = {
    "SHA-1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA-256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA-384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "SHA-512": bytes.fromhex("3051300d060960864801650304020305000440"),
    "SHA-256 without NULL": bytes.fromhex("302f300b0609608648016503040201" + "0420"),
}
"""DigestInfo before the digest (RFC 8017 §9.2)."""


def numbers(f: Forger) -> Tokens:
    made = {"ES256": _ecdsa, "EdDSA": _eddsa, "RS256": _rsa}[f.key.algorithm](f)
    sizes = {f"{size} bytes of {byte:02x}": bytes([byte]) * size for size in SIZES for byte in (0, 1, 0x7F, 0x80, 0xFF)}
    good = f.signature
    cut = {f"without byte {at}": good[:at] + good[at + 1 :] for at in range(0, len(good), max(1, len(good) // 16))}
    flipped = {f"bit {at} flipped": _flip(good, at) for at in range(0, len(good) * 8, max(1, len(good) // 16))}
    made |= sizes | cut | flipped
    return {f"signature: {name}": f"{f.signed_part}.{encode(data)}" for name, data in made.items() if data != good}


SIZES = (1, 8, 31, 32, 33, 63, 64, 65, 71, 72, 96, 128, 132, 255, 256, 257, 512)


def _flip(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data) ^ 1 << bit).to_bytes(len(data))


def mirrored(f: Forger) -> str:
    """The other signature that every ECDSA signature has, (r, n - s): good in mathematics and by RFC 7518 §3.4."""
    r, s = _halves(f)
    return f"{f.signed_part}.{encode(r.to_bytes(32) + (P256_ORDER - s).to_bytes(32))}"


def _halves(f: Forger) -> tuple[int, int]:
    return int.from_bytes(f.signature[:32]), int.from_bytes(f.signature[32:])


def _ecdsa(f: Forger) -> dict[str, bytes]:
    """CVE-2022-21449 (zeros are good for everything), and other values that meet no check of their range."""
    r, s = _halves(f)
    edges = {"0": 0, "1": 1, "2": 2, "n-1": P256_ORDER - 1, "n": P256_ORDER, "n+1": P256_ORDER + 1, "p": P256_FIELD}
    edges |= {"p-1": P256_FIELD - 1, "G.x": P256_X, "2^255": 2**255, "2^256-1": 2**256 - 1, "n/2": P256_ORDER // 2}
    edges |= {"r": r, "s": s, "n-r": P256_ORDER - r, "n-s": P256_ORDER - s}
    good = {("r", "s"), ("r", "n-s")}
    pairs = [pair for pair in product(edges, edges) if pair not in good]
    made = {f"r={a}, s={b}": edges[a].to_bytes(32) + edges[b].to_bytes(32) for a, b in pairs}
    made |= {f"DER of r={a}, s={b}": encode_dss_signature(edges[a], edges[b]) for a, b in [("r", "s"), *pairs[::8]]}
    der = encode_dss_signature(r, s)
    made["DER with a long length"] = der[:1] + b"\x81" + der[1:]
    made["DER and more"] = der + b"\0"
    for size in (33, 48, 64, 66):
        made[f"{size} bytes each, led by zeros"] = r.to_bytes(size) + s.to_bytes(size)
        made[f"{size} bytes each, ended by zeros"] = r.to_bytes(32).ljust(size, b"\0") + s.to_bytes(32).ljust(
            size, b"\0"
        )
    made["little endian"] = r.to_bytes(32, "little") + s.to_bytes(32, "little")
    return made


def _eddsa(f: Forger) -> dict[str, bytes]:
    """S beyond the order, which makes a second signature of each (RFC 8032 §8.4), and points of small order."""
    point, s = f.signature[:32], int.from_bytes(f.signature[32:], "little")
    made = {
        f"S + {times} L": point + (s + times * ED25519_ORDER).to_bytes(32, "little")
        for times in range(1, 16)
        if s + times * ED25519_ORDER < 2**256
    }
    edges = {
        "0": 0,
        "1": 1,
        "L": ED25519_ORDER,
        "L-1": ED25519_ORDER - 1,
        "2^256-1": 2**256 - 1,
        "L-S": ED25519_ORDER - s,
    }
    made |= {f"S = {name}": point + value.to_bytes(32, "little") for name, value in edges.items()}
    points = {bytes.fromhex(text) for text in SMALL_ORDER}
    for small, (name, value) in product(sorted(points), (edges | {"S": s}).items()):
        made[f"R = {small.hex()[:8]}…{small.hex()[-2:]}, S = {name}"] = small + value.to_bytes(32, "little")
    made["big endian"] = point[::-1] + f.signature[:31:-1]
    made["the public key as R"] = f.key.private.public_key().public_bytes_raw() + f.signature[32:]  # type: ignore[union-attr]
    return made


def _rsa(f: Forger) -> dict[str, bytes]:
    """Numbers out of range, and what the real key has signed with a padding that is not PKCS #1 v1.5's."""
    private = f.key.private
    assert isinstance(private, rsa.RSAPrivateKey)
    n, d, s = private.public_key().public_numbers().n, private.private_numbers().d, int.from_bytes(f.signature)
    size = len(f.signature)
    edges = {"0": 0, "1": 1, "2": 2, "n-1": n - 1, "n": n, "n+1": n + 1, "n-s": n - s, "s^2": s * s % n}
    edges |= {"s+n": s + n, "2^2048-1": 2 ** (8 * size) - 1}
    made = {
        f"s = {name}": value.to_bytes(size + 1)[-max(size, (value.bit_length() + 7) // 8) :]
        for name, value in edges.items()
    }
    made |= {f"led by {count} zeros": bytes(count) + f.signature for count in (1, 2, 256)}
    made["little endian"] = f.signature[::-1]
    for name, block in _blocks(f.signed_part.encode(), size).items():
        made[f"padding: {name}"] = pow(int.from_bytes(block), d, n).to_bytes(size)
    return made


def _blocks(text: bytes, size: int) -> dict[str, bytes]:
    """What stands under a signature of `size` bytes; none as RFC 8017 §9.2 has it for SHA-256."""
    info = OIDS["SHA-256"] + sha256(text).digest()
    ones = b"\xff" * (size - 3 - len(info))
    made = {
        "block type 2": b"\0\2" + ones + b"\0" + info,
        "block type 0": b"\0\0" + bytes(len(ones)) + b"\0" + info,
        "no separator": b"\0\1" + ones + b"\xff" + info,
        "zeros in place of ones": b"\0\1" + bytes(len(ones)) + b"\0" + info,
        "one that is no one": b"\0\1" + b"\xfe" + ones[1:] + b"\0" + info,
        "garbage after the digest": b"\0\1" + b"\xff" * 8 + b"\0" + info + b"x" * (len(ones) - 8),
        "garbage before the digest": b"\0\1" + b"\xff" * 8 + b"\0" + b"x" * (len(ones) - 8) + info,
        "the digest alone": bytes(size - 32) + info[-32:],
        "the digest without its name": b"\0\1" + b"\xff" * (size - 35) + b"\0" + info[-32:],
        "no padding": info.rjust(size, b"\0"),
    }
    others = {"SHA-1": sha1, "SHA-384": sha384, "SHA-512": sha512, "SHA-256 without NULL": sha256}
    for name, digest in others.items():
        other = OIDS[name] + digest(text, usedforsecurity=False).digest()
        made[name] = b"\0\1" + b"\xff" * (size - 3 - len(other)) + b"\0" + other
    return made
