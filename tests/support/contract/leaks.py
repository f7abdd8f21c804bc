"""Where a secret could come to rest, and the search for it there."""

import asyncio
import base64
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
from redis.asyncio import Redis
from sqlalchemy import text

from authapi.core.context import Context
from authapi.local.binaries import postgres_binaries

PART = re.compile(r"[A-Za-z0-9_-]{10,}")
"""What survives whatever a writer does to blanks, quotes and umlauts."""

TABLES = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$)' ORDER BY 1
"""


def found(secrets: Mapping[str, str], places: Mapping[str, str]) -> list[str]:
    """Each secret (by its name) that can be read at a place, as it is or in another coat."""
    return [
        f"{name} is in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(coat in content for coat in coats(secret))
    ]


def codes_found(codes: Mapping[str, str], places: Mapping[str, str]) -> list[str]:
    """The same for codes of six digits, which are looked for as words: as parts of numbers they are everywhere."""
    words = {name: re.compile(rf"(?<![\w.+-]){code}(?![\w.])") for name, code in codes.items()}
    return [f"{name} is in {place}" for name, word in words.items() for place in places if word.search(places[place])]


def coats(secret: str) -> set[str]:
    """As it is, in part, as JSON, as Python shows it, in a URL, in hexadecimal, in base64."""
    raw = secret.encode()
    whole = base64.b64encode(raw).decode().rstrip("=")
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    encoded = {raw.hex(), whole, whole.replace("+", "-").replace("/", "_")}
    return {secret, *PART.findall(secret), *escaped, *quoted, *encoded, *_decoded(secret)}


def _decoded(secret: str) -> set[str]:
    """The bytes behind one of our refresh tokens, in hexadecimal."""
    if not secret.startswith("rt_"):
        return set()
    text = secret.removeprefix("rt_")
    return {base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex(), text}


async def tables(ctx: Context) -> dict[str, str]:
    """Every row of every table, as JSON; bytes are hexadecimal there."""
    async with ctx.db() as tx:
        names = (await tx.scalars(text(TABLES))).all()
        return {
            f"table {name}": "\n".join(await tx.scalars(text(f"SELECT to_jsonb(t)::text FROM {name} t")))
            for name in names
        }


async def dump(ctx: Context) -> dict[str, str]:
    """What a backup of the database would hold."""
    program = postgres_binaries() / "pg_dump"
    url = ctx.settings.database_url.replace("+asyncpg", "")
    run = await asyncio.create_subprocess_exec(program, url, stdout=PIPE, stderr=PIPE)
    content, errors = await run.communicate()
    assert run.returncode == 0, errors.decode()
    return {"the dump": content.decode()}


async def redis(ctx: Context) -> dict[str, str]:
    """Every key and every value."""
    url = ctx.settings.redis_url
    async with Redis.from_url(url, decode_responses=True, encoding_errors="backslashreplace") as client:
        keys = [key async for key in client.scan_iter(count=1000)]
        return {"redis": "\n".join([f"{key} {await _value(client, key)}" for key in keys])}


async def _value(client: Any, key: str) -> str:
    match await client.type(key):
        case "string":
            return str(await client.get(key))
        case "hash":
            return " ".join(f"{name} {value}" for name, value in (await client.hgetall(key)).items())
        case "zset":
            return " ".join(await client.zrange(key, 0, -1))
        case "set":
            return " ".join(await client.smembers(key))
        case kind:
            raise TypeError(f"{key} is a {kind}, which is not looked into")


async def metrics(api: httpx.AsyncClient) -> dict[str, str]:
    reply = await api.get("/metrics")
    assert reply.status_code == 200
    return {"metrics": reply.text}


def answers(replies: Iterable[httpx.Response]) -> dict[str, str]:
    """Heads and bodies of all answers, without the tokens that a body issues."""
    return {f"{number}. {_name(reply)}": _shown(reply) for number, reply in enumerate(replies, 1)}


def _name(reply: httpx.Response) -> str:
    return f"{reply.request.method} {reply.request.url.path[:60]} ({reply.status_code})"


def _shown(reply: httpx.Response) -> str:
    body = reply.text
    if issues(reply):
        body = json.dumps({name: value for name, value in reply.json().items() if name not in TOKENS})
    heads = [(name, value) for name, value in reply.headers.multi_items() if name != "set-cookie" or not issues(reply)]
    return f"{heads} {body}"


TOKENS = ("access_token", "refresh_token", "device_token", "csrf_token")
ISSUING = tuple(f"/api/v1/auth/{path}" for path in ("signup", "login", "refresh", "csrf", "password/confirm"))
COOKIE = re.compile(r"^[^=;]+=([\w-]{20,})")


def issues(reply: httpx.Response) -> bool:
    return reply.is_success and reply.request.url.path in ISSUING


def issued(replies: Iterable[httpx.Response]) -> dict[str, str]:
    """Every token that was handed out, and the part of an access token that makes it one."""
    issuing = [(number, reply) for number, reply in enumerate(replies, 1) if issues(reply)]
    tokens = {
        f"{name} of the {number}. answer": str(token)
        for number, reply in issuing
        for name in TOKENS
        if (token := reply.json().get(name)) is not None
    }
    tokens |= {
        f"cookie {place} of the {number}. answer": cookie[1]
        for number, reply in issuing
        for place, line in enumerate(reply.headers.get_list("set-cookie"))
        if (cookie := COOKIE.match(line)) is not None
    }
    signatures = {f"signature of {name}": token.rpartition(".")[2] for name, token in tokens.items() if "." in token}
    return tokens | signatures
