"""Source trees as syntax: the real one, and small ones planted to be found out."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "authapi"


@dataclass(frozen=True, slots=True)
class Module:
    """`path` is relative to the root, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """As it is imported, without the package it is in: `("core", "clock")`."""
        return tuple(self.path.removesuffix(".py").removesuffix("/__init__").split("/"))


def modules(root: Path) -> list[Module]:
    files = sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}
    return [Module(path, text, _parsed(text)) for path, text in texts.items()]


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SystemError:  # CPython before 3.11.5, where the parser was interrupted by itself (gh-106905)
        return ast.parse(text)


def plant(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def imported(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for, in full: `{"now": "datetime.datetime.now"}`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, full name) of every use of what was imported: `import os as o; o.environ` is `os.environ`."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            head, _, rest = dotted(node).partition(".")
            if head in names:
                yield node.lineno, f"{names[head]}.{rest}" if rest else names[head]


def dotted(node: ast.AST) -> str:
    """`a.b.c`, or nothing where the chain does not begin with a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def beyond(found: Iterator[tuple[str, str, str]], allowed: Mapping[tuple[str, str], str]) -> list[str]:
    """Of (path, what, fault) the faults that no entry (path, what) allows, and the entries that allow nothing."""
    findings = list(found)
    unused = allowed.keys() - {(path, what) for path, what, _ in findings}
    faults = {fault: None for path, what, fault in findings if (path, what) not in allowed}
    return [*faults, *(f"{path}: {what} is allowed, but no longer there" for path, what in sorted(unused))]
