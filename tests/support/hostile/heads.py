"""Requests that lie about where they end, or have heads that no client sends (RFC 9112 §6.3, §11.2)."""

from typing import NamedTuple

from tests.support.people import PREFIX

PATH = f"{PREFIX}/signup".encode()
START = b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\n"
JSON = b"Content-Type: application/json\r\n"
MEGABYTES = 20


class Hostile(NamedTuple):
    """`ends` is whether the service can know that nothing more is to come; else it waits for it, and may."""

    data: bytes
    ends: bool = True


def requests(body: bytes) -> dict[str, Hostile]:
    """`body` would create an account if any of these was taken for a good request."""
    return _lengths(body) | _chunks(body) | _sizes(body) | _heads(body) | _no_http(body)


def _lengths(body: bytes) -> dict[str, Hostile]:
    good, start = b"%d" % len(body), START + JSON
    lines = {
        "twice": b"Content-Length: %b\r\nContent-Length: %b" % (good, good),
        "twice, different": b"Content-Length: %b\r\nContent-Length: 0" % good,
        "a list": b"Content-Length: %b, %b" % (good, good),
        **{
            name: b"Content-Length: " + value
            for name, value in {
                "signed": b"+" + good,
                "negative": b"-1",
                "hexadecimal": b"0x%x" % len(body),
                "a float": good + b".0",
                "with a blank inside": good[:1] + b" " + good[1:],
                "a word": b"ten",
                "endless": b"9" * 400,
                "underlined": good[:1] + b"_" + good[1:],
                "full width": "\uff11\uff10".encode(),
            }.items()
        },
        "before its colon a blank": b"Content-Length : " + good,
        "folded": b"Content-Length:\r\n " + good,
        "none, chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "none, gzip and then chunked": b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "and chunked": b"Content-Length: %b\r\nTransfer-Encoding: chunked" % good,
        "after chunked": b"Transfer-Encoding: chunked\r\nContent-Length: %b" % good,
        "and chunked twice": b"Content-Length: %b\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked" % good,
        "and Transfer-Encoding with a tab": b"Content-Length: %b\r\nTransfer-Encoding:\tchunked" % good,
        "and Transfer-Encoding that is none": b"Content-Length: %b\r\nTransfer-Encoding: xchunked" % good,
        "and identity": b"Content-Length: %b\r\nTransfer-Encoding: identity" % good,
    }
    made = {f"length {name}": Hostile(start + line + b"\r\n\r\n" + body) for name, line in lines.items()}
    made["length too long"] = Hostile(start + b"Content-Length: %d\r\n\r\n%b" % (len(body) + 5, body), ends=False)
    made["length too short"] = Hostile(start + b"Content-Length: %d\r\n\r\n%b" % (len(body) - 1, body))
    made["none, but a body"] = Hostile(start + b"\r\n" + body)
    return made


def _chunks(body: bytes) -> dict[str, Hostile]:
    size, start = b"%x" % len(body), START + JSON
    whole = size + b"\r\n" + body + b"\r\n0\r\n\r\n"
    codings = (
        b"chunked, identity",
        b"identity, chunked",
        b"gzip, chunked",
        b"chunked;q=1",
        b"x chunked",
        b"\x0bchunked",
        b'"chunked"',
        b"chunked, chunked",
    )
    made = {
        f"coding {coding.decode()!r}": Hostile(start + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + whole)
        for coding in codings
    }
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    sizes = {
        "a word": b"zz",
        "negative": b"-1",
        "too long": b"f" * 17,
        "prefixed": b"0x" + size,
        "empty": b"",
        "a blank": b" " + size,
    }
    made |= {
        f"chunk: {name}": Hostile(chunked + each + b"\r\n" + body + b"\r\n0\r\n\r\n") for name, each in sizes.items()
    }
    made["chunk shorter than it says"] = Hostile(
        chunked + b"%x\r\n" % (len(body) + 9) + body + b"\r\n0\r\n\r\n", ends=False
    )
    made["chunk longer than it says"] = Hostile(chunked + b"1\r\n" + body + b"\r\n0\r\n\r\n")
    made["chunk without its end"] = Hostile(chunked + size + b"\r\n" + body + b"0\r\n\r\n")
    made["chunks without an end"] = Hostile(chunked + size + b"\r\n" + body + b"\r\n", ends=False)
    made["a request behind chunks that lie"] = Hostile(chunked + b"zz\r\n" + START + JSON + b"\r\n")
    return made


def _sizes(body: bytes) -> dict[str, Hostile]:
    large = b'{"email":"' + b"x" * (MEGABYTES * 2**20) + b'"}'
    length = b"Content-Length: %d\r\n" % len(body)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    return {
        f"{MEGABYTES} MB": Hostile(START + JSON + b"Content-Length: %d\r\n\r\n" % len(large) + large),
        f"{MEGABYTES} MB in chunks": Hostile(
            START + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * (MEGABYTES * 16)
        ),
        "1,000 headers": Hostile(
            START + JSON + length + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n" + body
        ),
        "1,000 times the same header": Hostile(START + JSON + length + b"Cookie: a=b\r\n" * 1000 + b"\r\n" + body),
        "a header of 200 KB": Hostile(START + JSON + length + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n" + body),
        "a name of 200 KB": Hostile(START + JSON + length + b"X" * 200_000 + b": x\r\n\r\n" + body),
        "a URL of 64 KB": Hostile(START.replace(PATH, PATH + b"?" + b"x" * 65_536) + JSON + length + b"\r\n" + body),
        "a path of 64 KB": Hostile(START.replace(PATH, PATH + b"/x" * 32_768) + JSON + length + b"\r\n" + body),
        "a method of 10 KB": Hostile(b"X" * 10_000 + START[4:] + JSON + length + b"\r\n" + body),
        "a token of 15 KB": Hostile(
            START.replace(PATH, PATH[:-6] + b"session").replace(b"POST", b"GET")
            + b"Authorization: Bearer "
            + b"a" * 15_000
            + b"\r\n\r\n"
        ),
    }


def _heads(body: bytes) -> dict[str, Hostile]:
    length = b"Content-Length: %d\r\n" % len(body)

    def with_line(line: bytes) -> Hostile:
        return Hostile(START + JSON + length + line + b"\r\n\r\n" + body)

    lines = {
        "NUL in a value": b"X: a\0b",
        "NUL in a name": b"X\0Y: a",
        "a bare return": b"X: a\rb: c",
        "no colon": b"nonsense",
        "a blank in a name": b"X Y: a",
        "an empty name": b": a",
        "a second Host": b"Host: y",
        "a second type": JSON[:-2],
        "a control in a name": b"X\x01: a",
        "an umlaut in a name": "X\u00e9: a".encode(),
        "two Authorizations": b"Authorization: Bearer a\r\nAuthorization: Bearer b",
    }
    paths = {
        "NUL": b"/%00",
        "half a character": b"/%C3",
        "overlong": b"/%c0%af",
        "surrogate": b"/%ED%A0%80",
        "raw": b"/\xff",
    }
    versions = (
        b"HTTP/1.1x",
        b"HTTP/9.9",
        b"HTTP/1.10",
        b"HTTP",
        b"http/1.1",
        b"HTTP/1.1 ",
        b"HTTQ/1.1",
        b"HTTP/2.0",
        b"",
    )
    made = {f"head: {name}": with_line(line) for name, line in lines.items()}
    made |= {
        f"path: {name}": Hostile(START.replace(PATH, PATH + path) + JSON + length + b"\r\n" + body)
        for name, path in paths.items()
    }
    made |= {
        f"version {version.decode()!r}": Hostile(START.replace(b"HTTP/1.1", version) + JSON + length + b"\r\n" + body)
        for version in versions
    }
    return made


def _no_http(body: bytes) -> dict[str, Hostile]:
    return {
        "TLS": Hostile(bytes.fromhex("16030100a5010000a10303") + b"\x41" * 160),
        "HTTP/2": Hostile(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
        "SSH": Hostile(b"SSH-2.0-x\r\n\r\n"),
        "Redis": Hostile(b"*1\r\n$4\r\nPING\r\n\r\n"),
        "PROXY": Hostile(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + START + b"\r\n"),
        "zeros": Hostile(bytes(4096)),
        "all bytes": Hostile(bytes(range(256)) * 4),
        "HTTP/0.9": Hostile(b"GET " + PATH + b"\r\n\r\n"),
        "the body first": Hostile(body + b"\r\n\r\n" + START + b"\r\n"),
        "lines without an end": Hostile(b"\r\n" * 50_000 + b"x\r\n\r\n"),
    }
