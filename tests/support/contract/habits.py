"""What no file may do, whatever its place: read a clock, draw chance, read the environment, grow too long."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.contract.source import Module, beyond, imported, modules, uses

Allowed = Mapping[tuple[str, str], str]

CLOCKS = ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today")
CHANCE = ("os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8")
RAW = frozenset({*CLOCKS, *CHANCE, "time.time", "time.time_ns", "time.localtime", "time.ctime", "ssl.RAND_bytes"})
RAW_MODULES = ("random.", "secrets.")

RAW_ALLOWED: Allowed = {
    ("core/clock.py", "datetime.datetime.now"): "it is the clock",
    ("core/logs.py", "datetime.datetime.now"): "a line tells when it was written, as `logging` does",
    ("core/secrets.py", "os.urandom"): "it is the randomness",
    ("core/secrets.py", "secrets.randbelow"): "it is the randomness",
    ("core/secrets.py", "secrets.token_urlsafe"): "it is the randomness",
    ("core/secrets.py", "time.time_ns"): "a UUIDv7 begins with the time; nothing is decided by it",
    ("core/limits.py", "time.time"): "`limits` tells ends of windows on the wall clock",
    ("core/flood.py", "time.time"): "the same, for `Retry-After`",
    (
        "core/counting.py",
        "time.time",
    ): "the other way round: a storage of `limits` tells ends of windows on the wall clock",
    ("dev.py", "secrets.token_urlsafe"): "makes the root secret of a folder, before there are settings for a context",
}

LAZY_ALLOWED: Allowed = {
    ("cli.py", "import"): "help comes at once; each command imports what it needs",
    ("commands/audit.py", "import"): "the same",
    ("commands/mail.py", "import"): "the same",
    ("commands/seed.py", "import"): "the same",
    ("commands/users.py", "import"): "the same",
    ("core/telemetry.py", "import"): "needs the optional extra `otel`",
}

ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb")
ENVIRONMENT_ALLOWED: Allowed = {
    ("attended.py", "os.environ"): "hands settings from `authapi dev` to the command it runs",
    ("core/metrics.py", "os.environ"): "PROMETHEUS_MULTIPROC_DIR is prometheus-client's own, read before any setting",
    ("dev.py", "os.environ"): "passes the caller's environment on to its children",
    ("doctor/service.py", "os.environ"): "judges PROMETHEUS_MULTIPROC_DIR",
    ("local/account.py", "os.environ"): "Postgres runs without the caller's PG* variables",
    ("local/binaries.py", "os.environ"): "PG_BINDIR and VALKEY_SERVER name programs of this machine",
    ("serving.py", "os.environ"): "PROMETHEUS_MULTIPROC_DIR again: for the processes it starts",
}

FORBIDDEN_NAMES = frozenset({"utils", "constants", "dependencies", "base", "types", "helpers"})
LONGEST_FILE, LONGEST_FUNCTION = 300, 40

SECRET_NAME = re.compile(r"(^|_)(token|hash|mac|otp|digest|hexdigest|secret)s?(_|$)")
COMPARED_ALLOWED: Allowed = {
    ("sessions/tokens.py", "token_issuer"): "the issuer is public; it is in every token and in the settings",
}


def raw(root: Path, allowed: Allowed = RAW_ALLOWED) -> list[str]:
    """Time and chance that do not come from the context. Monotonic clocks are free: they only measure."""
    return beyond(
        (
            (module.path, name, f"{module.path}:{line} uses {name} instead of ctx.clock or ctx.random")
            for module in modules(root)
            for line, name in uses(module.tree)
            if name in RAW or name.startswith(RAW_MODULES)
        ),
        allowed,
    )


def environment(root: Path, allowed: Allowed = ENVIRONMENT_ALLOWED) -> list[str]:
    return beyond(
        (
            (module.path, name, f"{module.path}:{line} reads {name}; only core/settings.py does")
            for module in modules(root)
            for line, name in uses(module.tree)
            if name in ENVIRONMENT and module.path != "core/settings.py"
        ),
        allowed,
    )


def http_clients(root: Path) -> list[str]:
    """More than one module that speaks HTTP to others."""
    found = [m.path for m in modules(root) if any(n.split(".")[0] == "httpx" for n in imported(m.tree).values())]
    return [f"httpx is imported by {', '.join(found)}: one module speaks HTTP to others"] if len(found) > 1 else []


def late_imports(root: Path, allowed: Allowed = LAZY_ALLOWED) -> list[str]:
    return beyond(
        (
            (module.path, "import", f"{module.path}:{line} imports below the top of the file")
            for module in modules(root)
            for line in _late(module.tree)
        ),
        allowed,
    )


def _late(tree: ast.Module) -> Iterator[int]:
    """Lines of imports that stand neither at the top nor there under `if TYPE_CHECKING`."""
    top: set[ast.AST] = set()
    for number, node in enumerate(tree.body):
        is_docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.If) and all(map(_is_import, node.body)) and not node.orelse:
            top |= set(node.body)
        elif _is_import(node):
            top.add(node)
        elif not is_docstring:
            break
    for each in ast.walk(tree):
        if isinstance(each, ast.Import | ast.ImportFrom) and each not in top:
            yield each.lineno


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def names(root: Path) -> list[str]:
    """Packages with code in `__init__.py`, and modules whose name says nothing."""
    found = modules(root)
    full = [f"{module.path} is not empty" for module in found if module.path.endswith("__init__.py") and module.text]
    vague = [f"{module.path}: the name says nothing" for module in found if FORBIDDEN_NAMES & set(module.parts)]
    return full + vague


def long_files(root: Path) -> list[str]:
    sizes = [(module.path, len(module.text.splitlines())) for module in modules(root)]
    return [f"{path} has {size} lines, {LONGEST_FILE} at most" for path, size in sizes if size > LONGEST_FILE]


def long_functions(root: Path) -> list[str]:
    return [fault for module in modules(root) for fault in _long_functions(module)]


def _long_functions(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                yield f"{module.path}:{node.lineno} {node.name} has {size} lines, {LONGEST_FUNCTION} at most"


def compared(root: Path, allowed: Allowed = COMPARED_ALLOWED) -> list[str]:
    """Secrets under `==`, whose time tells where they differ. Columns of a table make SQL and are left alone."""
    return beyond(
        (
            (module.path, name, f"{module.path}:{line} compares {name} with ==: use core.secrets.same")
            for module in modules(root)
            for line, name in _compared(module.tree)
        ),
        allowed,
    )


def _compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(_is_column(side) for side in sides):
            continue
        for side in sides:
            name = _name(side)
            if SECRET_NAME.search(name.rpartition(".")[2].lower()):
                yield node.lineno, name


def _is_column(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id[:1].isupper()


def _name(node: ast.AST) -> str:
    """What is compared: a name, an attribute, or the function or sequence it comes from."""
    while isinstance(node, ast.Call | ast.Subscript):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            return node.slice.value
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
