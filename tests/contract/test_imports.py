"""The one direction of imports, and where time, chance and HTTP come from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.contract.habits import http_clients, late_imports, names, raw
from tests.support.contract.imports import foreign_writes, hidden, order
from tests.support.contract.source import SOURCE, plant


@pytest.mark.parametrize("check", [order, hidden, foreign_writes, raw, http_clients, late_imports, names])
def test_the_service_keeps_to(check: Callable[[Path], list[str]]) -> None:
    assert check(SOURCE) == []


@pytest.mark.parametrize(
    ("path", "line", "fault"),
    [
        ("core/clock.py", "from authapi.audit import service", "authapi.audit.service, which stands after it"),
        ("core/clock.py", "import authapi.users.models", "authapi.users.models, which stands after it"),
        ("sessions/service.py", "from authapi import app", "authapi.app, which stands after it"),
        ("users/service.py", "def late():\n from authapi.signin import service", "which stands after it"),
        ("methods/totp/service.py", "from authapi.methods.password import rules", "do not know each other"),
        ("signin/service.py", "from authapi.methods.password.store import add", "which stands after it"),
        ("worker.py", "from authapi.sessions.router import router", "only app imports a router"),
        ("users/router.py", "from authapi.sessions.router import router", "only app imports a router"),
        ("users/service.py", "from authapi.users import router", "which stands after it"),
        ("serving.py", "from authapi.local import postgres", "only for development and tests"),
        ("local/postgres.py", "from authapi.core import clock", "which stands after it"),
        ("sessions/service.py", "from authapi.planets.service import turn", "has no place in the order"),
        ("planets/service.py", "import os", "planets/service.py has no place in the order"),
        ("operations/router.py", "from authapi.credits.schemas import CreditIn", "whose bodies are its own"),
    ],
)
def test_an_import_against_the_order_is_found(tmp_path: Path, path: str, line: str, fault: str) -> None:
    tree = {"users/router.py": "", "audit/service.py": "", "credits/schemas.py": "", "local/postgres.py": ""}
    (found,) = order(plant(tmp_path, tree | {path: f"{line}\n"}))
    assert path in found
    assert fault in found


def test_what_the_order_allows_is_no_fault(tmp_path: Path) -> None:
    allowed = {
        "app.py": "from authapi.users.router import router",
        "dev.py": "from authapi.local import postgres",
        "users/router.py": "from authapi.methods.password import service\nfrom authapi.sessions.schemas import End",
        "methods/password/service.py": "from authapi.methods.password import rules\nfrom authapi.core import clock",
        "local/postgres.py": "from authapi.local.process import Server",
    }
    assert order(plant(tmp_path, allowed)) == []


@pytest.mark.parametrize(
    "line", ["from . import store", "import importlib\nimportlib.import_module('x')", "__import__('x')"]
)
def test_an_import_that_the_order_cannot_see_is_found(tmp_path: Path, line: str) -> None:
    (found,) = hidden(plant(tmp_path, {"users/service.py": line}))
    assert "users/service.py" in found


@pytest.mark.parametrize(
    "write", ["insert(User)", "postgresql.insert(User)", "update(User)", "delete(User)", "User(id=1)"]
)
def test_a_write_to_the_table_of_another_package_is_found(tmp_path: Path, write: str) -> None:
    line = f"from authapi.users.models import User\n{write}\n"
    found = foreign_writes(plant(tmp_path, {"users/store.py": line, "sessions/store.py": f"{line}select(User)\n"}))
    assert found == ["sessions/store.py:2 writes User, which is another package's"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", "datetime.datetime.now"),
        ("import datetime\ndatetime.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("import datetime as dt\ndt.date.today()", "datetime.date.today"),
        ("import time as t\nt.time()", "time.time"),
        ("from time import time\ntime()", "time.time"),
        ("from uuid import uuid4 as new\nnew()", "uuid.uuid4"),
        ("import secrets\nsecrets.token_bytes(32)", "secrets.token_bytes"),
        ("import os\nos.urandom(16)", "os.urandom"),
        ("from random import choice\nchoice([1])", "random.choice"),
    ],
)
def test_raw_time_and_chance_are_found(tmp_path: Path, line: str, named: str) -> None:
    found = raw(plant(tmp_path, {"users/service.py": line}), {})
    assert found == [f"users/service.py:2 uses {named} instead of ctx.clock or ctx.random"]


def test_measuring_time_is_no_fault(tmp_path: Path) -> None:
    harmless = "import time\nfrom time import perf_counter\ntime.monotonic()\nperf_counter()\nctx.random.token()\n"
    assert raw(plant(tmp_path, {"users/service.py": harmless}), {}) == []


def test_an_exception_that_nothing_needs_any_more_is_found(tmp_path: Path) -> None:
    found = raw(plant(tmp_path, {"users/service.py": ""}), {("users/service.py", "time.time"): "it was needed once"})
    assert found == ["users/service.py: time.time is allowed, but no longer there"]


def test_one_module_speaks_http_to_others(tmp_path: Path) -> None:
    clients = {"outbox/sms.py": "import httpx\nhttpx.get('x')", "oidc.py": "from httpx import get\nget('x')"}
    (found,) = http_clients(plant(tmp_path, clients))
    assert "oidc.py, outbox/sms.py" in found


@pytest.mark.parametrize(
    "late", ["def f():\n    import os", "x = 1\nimport os", "try:\n    import os\nexcept ImportError: ..."]
)
def test_an_import_below_the_top_is_found(tmp_path: Path, late: str) -> None:
    top = '"""A module."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ast\n'
    found = late_imports(plant(tmp_path, {"users/service.py": top, "users/store.py": late}), {})
    assert found == ["users/store.py:2 imports below the top of the file"]


@pytest.mark.parametrize("path", ["users/__init__.py", "users/utils.py", "core/base.py", "helpers/mail.py"])
def test_code_in_init_and_names_that_say_nothing_are_found(tmp_path: Path, path: str) -> None:
    (found,) = names(plant(tmp_path, {path: "x = 1\n", "core/__init__.py": ""}))
    assert path in found
