"""What a class of problems must have, and which ones the tests never obtain."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from authapi.core.problems import ACTIONS
from tests.support.contract.source import modules

SNAKE = re.compile(r"[a-z]+(_[a-z]+)*")
PARTS = ("code", "status", "title", "action")
NOT_OBTAINING = ("contract/", "support/contract/")

UNOBTAINED_ALLOWED: Mapping[str, str] = {}


def faults(problems: Iterable[type]) -> list[str]:
    problems = list(problems)
    codes = Counter(getattr(problem, "code", None) for problem in problems)
    shared = [f"{code} is the code of {times} problems" for code, times in codes.items() if code and times > 1]
    return shared + [f"{problem.__name__} {fault}" for problem in problems for fault in _faults(problem)]


def _faults(problem: type) -> Iterator[str]:
    code, status, title, action = (getattr(problem, part, None) for part in PARTS)
    if missing := [part for part in PARTS if not getattr(problem, part, None)]:
        yield f"has no {', '.join(missing)}"
        return
    if not isinstance(code, str) or not SNAKE.fullmatch(code):
        yield f"has the code {code}, which is not snake_case"
    if not isinstance(status, int) or not 400 <= status < 600:
        yield f"has the status {status}"
    if not isinstance(title, str) or len(title) > 120:
        yield "has a title that is no short sentence"
    if action not in ACTIONS:
        yield f"has the action {action}, which clients do not know"
    if action == "reauthenticate" and status != 401:
        yield f"tells to reauthenticate with status {status}: only a 401 may"
    if getattr(problem, "bearer", None) and status != 401:
        yield f"has an error for WWW-Authenticate with status {status}"


def unobtained(codes: Collection[str], tests: Path, allowed: Mapping[str, str] = UNOBTAINED_ALLOWED) -> list[str]:
    """Problems whose code no test expects, and entries of the allow-list that some test does expect."""
    expected = {
        node.value
        for module in modules(tests)
        if not module.path.startswith(NOT_OBTAINING)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    missing = [f"no test obtains {code}" for code in codes if code not in expected and code not in allowed]
    return missing + [f"{code} is allowed to be without a test, and has one" for code in allowed if code in expected]
