"""The reference in `openapi/`: made from the code, compared with it in a test, written by `authapi openapi`."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from authapi.app import create_app
from authapi.audit.service import EVENTS
from authapi.core.context import build
from authapi.core.limits import Limit
from authapi.core.problems import MEDIA_TYPE, Problem
from authapi.core.settings import Settings

Document: TypeAlias = Mapping[str, Any]

PREFIX = "AUTHAPI_"
NO_CALL = "a request that reaches no call"
EVERY_CALL = "every call"
ORIGIN = "Made by `authapi openapi` from the code; do not edit."
UNITS: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "`true` or `false`",
    SecretStr: "secret",
}
BOUNDS = (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))


@cache
def document() -> Document:
    """The OpenAPI document, with nothing running and whatever the environment says."""
    settings = Settings.model_construct(
        env="development",
        database_url="postgresql+asyncpg://authapi@127.0.0.1/authapi",
        redis_url="redis://127.0.0.1/0",
        secret=SecretStr("the reference is made without a root secret"),
        hash_threads=1,
    )
    ctx = build(settings)
    ctx.hasher.close()
    return create_app(ctx).openapi()


def authapi_json() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def problems() -> list[type[Problem]]:
    """Every problem of the service, by its code."""
    ours = {problem for problem in Problem.every() if problem.__module__.startswith("authapi.")}
    return sorted(ours, key=lambda problem: problem.code)


def problems_md() -> str:
    answered = answering(document())
    rows = ((f"`{p.code}`", str(p.status), f"`{p.action}`", p.title, answered.get(p.code, NO_CALL)) for p in problems())
    text = "`code` never changes. `action` is what a client should do; only `reauthenticate` may forget tokens."
    return _page("Problems", text, ("Code", "Status", "Action", "Title", "Answered by"), rows)


def answering(document: Document) -> dict[str, str]:
    """By the code of a problem, the operations that may answer with it."""
    calls = [operation for path in document["paths"].values() for operation in path.values()]
    found: dict[str, list[str]] = {}
    for operation in calls:
        for answer in operation["responses"].values():
            for code in answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}):
                found.setdefault(code, []).append(operation["operationId"])
    return {
        code: EVERY_CALL if len(names) == len(calls) else ", ".join(f"`{name}`" for name in names)
        for code, names in found.items()
    }


def settings_md() -> str:
    rows = (
        (f"`{PREFIX}{name.upper()}`", type_of(field), default_of(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    text = "Read from the environment at the start. Lifetimes and waits are in seconds."
    return _page("Settings", text, ("Name", "Type", "Default", "Meaning"), rows)


def type_of(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "secrets" if SecretStr in get_args(kind) else "list"
    if get_origin(kind) is dict:
        return "JSON object"
    return f"{UNITS[kind or str]}{_range(field.metadata)}"


def _range(constraints: Iterable[object]) -> str:
    """` from 1 to 16`, or as much of it as there is."""
    return "".join(
        f" {word} {getattr(each, name)}" for each in constraints for name, word in BOUNDS if hasattr(each, name)
    )


def default_of(field: FieldInfo) -> str:
    """Never a secret's."""
    default = field.default
    if default is PydanticUndefined:
        return "required"
    if _is_secret(field):
        return "not shown" if default else "none"
    if default is None:
        return "unset"
    if default in ((), {}):
        return "none"
    if isinstance(default, tuple):
        return f"`{','.join(map(str, default))}`"
    return f"`{json.dumps(default)}`" if isinstance(default, bool) else f"`{default}`"


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def limits_md() -> str:
    rows = (
        (f"`{limit.name}`", f"`{limit.rate}`", "in each process" if limit.here else "together")
        for limit in sorted(Limit.all.values(), key=lambda limit: limit.name)
    )
    text = (
        "The last part of a name says what is counted: an IPv4 address or IPv6 /64, a mailbox, a person, a session. "
        "All processes count together, in Redis, or each for itself; without Redis each does, and lets through half. "
        "`AUTHAPI_LIMITS` sets other rates, `AUTHAPI_LIMITS_SCALE` multiplies all. "
        "Failed sign-ins are counted in Postgres (`AUTHAPI_SIGN_IN_FREE_FAILURES`)."
    )
    return _page("Rate limits", text, ("Name", "Rate", "Counted"), rows)


def events_md() -> str:
    rows = ((f"`{name}`", meaning) for name, meaning in sorted(EVENTS.items()))
    return _page("Audit events", "What is on record.", ("Event", "Meaning"), rows)


def _page(title: str, text: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"# {title}\n\n{text} {ORIGIN}\n\n{table}\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "authapi.json": authapi_json,
    "problems.md": problems_md,
    "settings.md": settings_md,
    "limits.md": limits_md,
    "events.md": events_md,
}


def write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8", newline="\n")


def check(folder: Path) -> list[str]:
    """Each page that is not what the code says, with the first line that differs."""
    return [fault for name, make in PAGES.items() if (fault := _difference(folder / name, make()))]


def _difference(path: Path, made: str) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing: run `make openapi`"
    written = path.read_text(encoding="utf-8")
    if written == made:
        return None
    lines = enumerate(zip_longest(written.splitlines(), made.splitlines()), 1)
    number, (old, new) = next(((n, pair) for n, pair in lines if pair[0] != pair[1]), (0, (None, None)))
    return f"{path.name}:{number} is {old!r} but should be {new!r}: run `make openapi`"
