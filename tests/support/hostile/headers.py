"""Headers that a verifier might obey: an algorithm of the attacker's choice, a key at their address or of theirs."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authapi.core.signing import SigningKey
from tests.support.forging import Forge, Forger, Tokens, dumped, encode

NONES = ["".join(letters) for letters in product(*zip("none", "NONE", strict=True))]
BLANKS = ("", " ", "\t", "\n", "\r\n", "\0", "\u00a0", "\u200b", "\ufeff")
WRONG_TYPES: list[Any] = [None, True, False, 0, -1, 1.5, 10**19, [], [[]], {}, {"": ""}]
PLACES = ("jku", "x5u", "jwks_uri", "url", "iss", "jwk", "kid")
SECRETS = {"nothing": b"", "a zero": b"\0", "32 zeros": bytes(32), "secret": b"secret", "null": b"null"}
PATHS = [
    *(
        f"{'../' * depth}{target}"
        for depth in range(1, 7)
        for target in ("dev/null", "proc/self/environ", "etc/hostname")
    ),
    *("/dev/null", "/dev/zero", "/dev/stdin", "/proc/self/fd/0", "./", "..", "~/.ssh/id_rsa", "C:\\Windows\\win.ini"),
    *("..%2f..%2fdev%2fnull", "..%252fdev%252fnull", "..%c0%afdev/null", "....//....//dev/null", "..;/dev/null"),
    *("\\\\127.0.0.1\\share\\key", "php://input", "jar:file:///dev/null!/", "expect://id", "|cat /dev/null", "; id"),
]
STATEMENTS = [
    *(
        "' OR 1=1 --",
        "' OR ''='",
        '" OR ""="',
        "') OR ('1'='1",
        "' UNION SELECT private FROM signing_keys --",
        "1; SELECT 1",
    ),
    *("'; UPDATE signing_keys SET kid='x' --", "$$ OR true $$", "%27%20OR%201%3D1", "${jndi:ldap://127.0.0.1:1/x}"),
    *("{{7*7}}", "${7*7}", "<!--#exec cmd='id'-->", "<script>", "*)(kid=*", "key\nkid: other", "%s%n%x", "\x1b[2J"),
]


def nones(f: Forger) -> Tokens:
    """Every way to write it, without a signature and with the good one (RFC 8725 §3.1)."""
    made: Tokens = {}
    body, tail = f.token.split(".")[1:]
    for name, before, after in product(NONES, BLANKS, ("", " ", "\0")):
        head = encode(dumped(f.header | {"alg": f"{before}{name}{after}"}))
        made[f"alg {before!r} {name} {after!r}"] = f"{head}.{body}."
    for name, ending in product(NONES, ("AA", "AAAA", tail)):
        made[f"alg {name}, signature {ending[:4]}"] = f"{encode(dumped({'alg': name}))}.{body}.{ending}"
        made[f"alg {name} under our kid, {ending[:4]}"] = f"{encode(dumped(f.header | {'alg': name}))}.{body}.{ending}"
    return made


def kinds(f: Forger) -> Tokens:
    """Each member of the header with a value of another type, signed by the real key."""
    made = {f"{name} is {value!r}": f.with_header(**{name: value}) for name in f.header for value in WRONG_TYPES}
    made |= {f"{name} is a list": f.with_header(**{name: [value]}) for name, value in f.header.items()}
    made |= {f"{name} is an object": f.with_header(**{name: {name: value}}) for name, value in f.header.items()}
    made |= {f"no {name}": f.make({key: f.header[key] for key in f.header if key != name}) for name in f.header}
    made |= {f"only {name}": f.make({name: value}) for name, value in f.header.items()}
    made |= {f"{name} in capitals": f.make(_renamed(f.header, name, name.upper())) for name in f.header}
    made |= {f"{name} after a blank": f.make(_renamed(f.header, name, f" {name}")) for name in f.header}
    return made


def _renamed(header: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in header.items()}


def key_ids(f: Forger) -> Tokens:
    """A kid that becomes a path, a statement or a command: the key would be a known file, or the attacker's own."""
    made: Tokens = {}
    for kid in [*PATHS, *STATEMENTS]:
        made[f"kid {kid!r}, signed by the stranger"] = f.make(f.header | {"kid": kid}, key=f.stranger)
        made[f"kid {kid!r}, HS256 with nothing"] = f.with_mac(b"", "HS256", kid=kid)
    for size in (64, 256, 1000, 2900, 4097, 65_536, 1_000_000):
        made[f"kid of {size} characters"] = f.make(f.header | {"kid": "k" * size}, key=f.stranger)
    for (name, secret), mac in product(SECRETS.items(), ("HS256", "HS384", "HS512")):
        made[f"{mac} with {name}"] = f.with_mac(secret, mac)
    return made


def addresses(f: Forger) -> Tokens:
    """Where a stranger's keys are to be had: nobody goes there (ASVS 5.0 v9.1.3)."""
    host = f.url.split("/")[2]
    found: dict[str, Any] = {
        **{
            scheme: f"{scheme}://{host}/keys.json"
            for scheme in ("http", "https", "HTTP", "ws", "ftp", "gopher", "ldap")
        },
        "no scheme": f"//{host}/keys.json",
        "a person in front": f"http://localhost@{host}/",
        "a fragment": f"http://{host}/#http://localhost/.well-known/jwks.json",
        "file": "file:///dev/null",
        "data": f"data:application/json,{dumped({'keys': [f.stranger.jwk()]}).decode()}",
        "a list": [f.url],
        "an object": {"url": f.url},
    }
    made: Tokens = {}
    for place, (name, value) in product(PLACES, found.items()):
        for kid in (f.key.kid, f.stranger.kid):
            header = f.header | {"kid": kid} | {place: value}
            made[f"{place}: {name}, kid {kid[:8]}"] = f.make(header, key=f.stranger)
        made[f"{place}: {name}, signed by us"] = f.make({**f.header, place: value})
        made[f"claim {place}: {name}"] = f.make(claims={**f.claims, "iss": value, place: value}, key=f.stranger)
    return made


def brought(f: Forger) -> Tokens:
    """The stranger's key comes with the token (CVE-2018-0114)."""
    jwk, chain = f.stranger.jwk(), [encode_plain(certificate(f.stranger))]
    ways: dict[str, dict[str, Any]] = {
        "jwk": {"jwk": jwk},
        "jwk with our kid": {"jwk": jwk | {"kid": f.key.kid}},
        "jwk as text": {"jwk": dumped(jwk).decode()},
        "jwks": {"jwks": {"keys": [jwk]}},
        "keys": {"keys": [jwk]},
        "x5c": {"x5c": chain},
        "x5c twice": {"x5c": chain * 2},
        "x5c as text": {"x5c": chain[0]},
        "x5c and x5t": {"x5c": chain, "x5t": encode(b"x" * 20), "x5t#S256": encode(b"x" * 32)},
        "jwk and x5c": {"jwk": jwk, "x5c": chain},
        "the kid is the key": {"kid": jwk},
        "the kid is the certificate": {"kid": chain[0]},
        "a symmetric jwk": {"alg": "HS256", "jwk": {"kty": "oct", "k": encode(b"k" * 32)}},
        "cnf": {"cnf": {"jwk": jwk}},
    }
    made: Tokens = {}
    for name, header in ways.items():
        bare = {"alg": f.key.algorithm, "typ": "at+jwt"}
        made[f"brought: {name}"] = f.make(bare | header, key=f.stranger)
        made[f"brought: {name}, under our kid"] = f.make(f.header | header, key=f.stranger)
        made[f"brought: {name}, among the claims"] = f.make(claims=f.claims | header, key=f.stranger)
    return made


def encode_plain(data: bytes) -> str:
    """Base64 with padding, as x5c has it (RFC 7515 §4.1.6)."""
    return x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM).decode().replace("\n", "")[27:-25]


def certificate(key: SigningKey) -> bytes:
    """Signed by the key itself, DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "auth.example.com")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    made = (
        made.public_key(key.private.public_key()).not_valid_before(begin).not_valid_after(begin + timedelta(days=9999))
    )
    digest = None if isinstance(key.private, ed25519.Ed25519PrivateKey) else SHA256()
    return made.sign(key.private, digest).public_bytes(Encoding.DER)


def extensions(f: Forger) -> Tokens:
    """What changes how the rest is read, each signed by the real key (RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1.3)."""
    made: Tokens = {}
    names = ("exp", "b64", "jku", "alg", "kid", "typ", "zip", "x", "", "http://example.com/UNDEFINED")
    for name, value in product(names, (True, False, None, "DEF", 0)):
        made[f"crit [{name}], which is {value!r}"] = f.make({name: value, **f.header, "crit": [name]})
    flags: list[Any] = [False, True, 0, 1, "false", None, []]
    for value in flags:
        made[f"b64 {value!r}"] = f.with_header(b64=value, crit=["b64"])
        text = f"{encode(dumped(f.header | {'b64': value, 'crit': ['b64']}))}.{dumped(f.claims).decode()}"
        made[f"b64 {value!r}, claims in the clear"] = f.sign(text)
    for name, value in product(("zip", "cty", "enc", "p2c", "p2s", "epk", "apu", "skid", "ppt", "svt"), WRONG_TYPES):
        made[f"{name} {value!r}"] = f.with_header(**{name: value})
    for value in ("DEF", "def", "GZ", "deflate", "br", "JWT", "at+jwt", "JWE", "application/jwt"):
        made |= {f"{name} {value}": f.with_header(**{name: value}) for name in ("zip", "cty", "enc")}
    return made


GROUPS: list[Forge] = [nones, kinds, key_ids, addresses, brought, extensions]
