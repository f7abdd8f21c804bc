"""The one direction of imports. A package may import the packages before it, and itself.

Every router stands near the end, whatever its folder: it may use any service, and only the app uses it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.contract.source import Module, imported, modules

ORDER = (
    *("local", "core", "audit", "idempotency", "outbox", "codes", "users", "credentials", "plans", "accounts"),
    *(
        "credits",
        "sessions",
        "signin",
        "methods",
        "addresses",
        "onboarding",
        "operations",
        "admin",
        "docs",
        "pages",
        "router",
    ),
    *("app", "worker", "migrations", "doctor", "reference", "dev", "serving", "failures", "showing", "commands", "cli"),
    *("attended", "__main__"),
)
LOCAL_SERVERS_FOR = ("local", "dev", "failures")
"""`dev` starts the local servers; `failures` knows the one exception that it raises."""

SHARED_SCHEMAS = ("sessions", "signin", "users")
WRITING = ("insert", "update", "delete")

Target = tuple[str, ...]
Import = tuple[int, Target]


@dataclass(frozen=True, slots=True)
class Place:
    """`package` is the folder that owns it: `sessions`, `methods.password`."""

    name: str
    rank: int
    package: str


def place(target: Target) -> Place:
    """Raises ValueError for what has no place in the order."""
    name = "router" if target[-1] == "router" else target[0]
    package = ".".join(target[:2]) if target[0] == "methods" else target[0]
    return Place(name, ORDER.index(name), package)


def order(root: Path) -> list[str]:
    return [fault for module in modules(root) for fault in _order(root, module)]


def _order(root: Path, module: Module) -> Iterator[str]:
    if module.path == "__init__.py":
        return
    if module.parts[0] not in ORDER:
        yield f"{module.path} has no place in the order of imports"
        return
    here = place(module.parts)
    for line, target in _targets(root, module.tree):
        fault = _judge(here, target)
        if fault is not None:
            yield f"{module.path}:{line} imports authapi.{'.'.join(target)}, {fault}"


def _judge(here: Place, target: Target) -> str | None:
    if target[0] not in ORDER:
        return "which has no place in the order"
    there = place(target)
    if there.rank > here.rank:
        return "which stands after it"
    if there.name == "router" and here.name != "app":
        return "but only app imports a router"
    if there.name == "local" and here.package not in LOCAL_SERVERS_FOR:
        return "which is only for development and tests"
    if there.name == here.name == "methods" and there.package != here.package:
        return "but login methods do not know each other"
    if target[-1] == "schemas" and there.package not in (here.package, *SHARED_SCHEMAS):
        return "whose bodies are its own"
    return None


def _targets(root: Path, tree: ast.AST) -> Iterator[Import]:
    """The modules of authapi that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, *parts = alias.name.split(".")
                if top == "authapi" and parts:
                    yield node.lineno, tuple(parts)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "authapi":
            parts = (node.module or "").split(".")[1:]
            for alias in node.names:
                deeper = (*parts, alias.name)
                is_module = (
                    not parts
                    or root.joinpath(*deeper).is_dir()
                    or root.joinpath(*deeper[:-1], f"{alias.name}.py").is_file()
                )
                yield node.lineno, deeper if is_module else tuple(parts)


def hidden(root: Path) -> list[str]:
    """Imports that the order cannot see: relative ones, and those by a name made at run time."""
    return [fault for module in modules(root) for fault in _hidden(module)]


def _hidden(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{module.path}:{node.lineno} imports by a relative name"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "__import__" or name.rpartition(".")[2] == "import_module":
                yield f"{module.path}:{node.lineno} imports by {name}"


def foreign_writes(root: Path) -> list[str]:
    """Rows of another package's tables that are made, changed or deleted by name. Raw SQL is not looked at."""
    return [fault for module in modules(root) for fault in _foreign_writes(module)]


def _foreign_writes(module: Module) -> Iterator[str]:
    own = "authapi." + (".".join(module.parts[:2]) if module.parts[0] == "methods" else module.parts[0])
    foreign = {
        name
        for name, full in imported(module.tree).items()
        if ".models." in full and not full.startswith(f"{own}.models.") and full.startswith("authapi.")
    }
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        table = ast.unparse(node.args[0]) if called in WRITING and node.args else called
        if table in foreign:
            yield f"{module.path}:{node.lineno} writes {table}, which is another package's"
