"""Dockerfile, compose.yaml and docs/DEPLOYMENT.md keep to their rules and name only settings that exist.

Nothing is built here. Each rule is shown to fail on a file that breaks it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.specifiers import SpecifierSet

from authapi.core.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE, COMPOSE, DEPLOYMENT, IGNORE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("Dockerfile", "compose.yaml", "docs/DEPLOYMENT.md", ".dockerignore")
)
REQUIRES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
SETTINGS = {f"AUTHAPI_{name.upper()}" for name in Settings.model_fields}

NO_SETTINGS: dict[str, str] = {}
"""Variables that begin like a setting but are none, each with its reason."""

Instruction: TypeAlias = tuple[str, str]
Stage: TypeAlias = list[Instruction]


def instructions(text: str) -> list[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = lines.replace("\\\n", " ").splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined if line)]


def final_stage(text: str) -> Stage:
    found = instructions(text)
    begin = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[begin:]


def images(text: str) -> list[str]:
    """What is pulled: every FROM that names no stage of this file, its arguments filled in."""
    defaults = dict(rest.partition("=")[::2] for word, rest in instructions(text) if word == "ARG" and "=" in rest)
    pulled, stages = [], set()
    for word, rest in instructions(text):
        if word == "FROM":
            name = re.sub(r"\$\{?(\w+)\}?", lambda argument: defaults.get(argument[1], ""), rest.split()[0])
            if name not in stages:
                pulled.append(name)
            stages.update(rest.split()[2:3])
    return pulled


def runs_as_somebody_else(text: str) -> Iterator[str]:
    stage = final_stage(text)
    words = [word for word, _ in stage]
    users = [rest.partition(":")[0] for word, rest in stage if word == "USER"]
    if not users or users[-1] in ("root", "0", "") or not users[-1].isdigit():
        yield "the last USER is not a number other than 0, which is what Kubernetes can check"
    elif "ENTRYPOINT" not in words or words.index("USER") > words.index("ENTRYPOINT"):
        yield "USER does not stand before ENTRYPOINT"


def starts_and_stops_cleanly(text: str) -> Iterator[str]:
    last = dict(final_stage(text))
    for word in ("ENTRYPOINT", "CMD"):
        if not last.get(word, "").startswith("["):
            yield f"{word} is not in exec form, so a shell would keep the signals"
    if last.get("STOPSIGNAL") != "SIGTERM":
        yield "STOPSIGNAL is not SIGTERM"
    if "/health/live" not in last.get("HEALTHCHECK", ""):
        yield "HEALTHCHECK does not ask /health/live"


def pins(names: list[str]) -> Iterator[str]:
    for name in names:
        tag = name.rpartition("/")[2].partition(":")[2]
        if not tag or tag.startswith("latest"):
            yield f"{name} is not pinned"


def dockerfile_pins(text: str) -> Iterator[str]:
    yield from pins(images(text))


def compose_pins(text: str) -> Iterator[str]:
    yield from pins([service["image"] for service in services(text).values()])


def has_a_good_python(text: str) -> Iterator[str]:
    versions = [tag for name in images(text) if (tag := re.findall(r"^python:([\d.]+)", name))]
    if not versions:
        yield "no stage is made from python"
    for (version,) in versions:
        if version not in SpecifierSet(REQUIRES):
            yield f"Python {version} is not {REQUIRES}"


def copies_what_is_there(text: str) -> Iterator[str]:
    """.dockerignore lets through only what it names, so a forgotten line breaks the build."""
    allowed = [line[1:] for line in IGNORE.splitlines() if line.startswith("!")]
    for word, rest in instructions(text):
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                if not (ROOT / source).exists():
                    yield f"{source} does not exist"
                elif not any(fnmatch(source.removeprefix("./"), pattern) for pattern in allowed):
                    yield f"{source} is kept out by .dockerignore"


def names_settings(text: str) -> Iterator[str]:
    for name in sorted(set(re.findall(r"AUTHAPI_[A-Z0-9_]*[A-Z0-9]", text)) - SETTINGS - set(NO_SETTINGS)):
        yield f"{name} is no setting"


def services(text: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


def holds_no_secret(text: str) -> Iterator[str]:
    """A secret comes from outside and has no default; a URL has no password of its own. Only what a file would bring
    may be emptied."""
    for name, service in services(text).items():
        environment = service.get("environment", {})
        if not isinstance(environment, dict):
            yield f"{name}: the environment is no mapping"
            continue
        for variable, value in environment.items():
            secret = re.search("SECRET|PASSWORD|TOKEN|KEY", variable)
            if (
                secret
                and not _is_taken_away(service, value)
                and value is not None
                and not re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value))
            ):
                yield f"{name}: {variable} has a value or a default"
            if re.search(r"://[^/@\s]*:(?!\$\{\w+:\?)[^/@\s]+@", str(value)):
                yield f"{name}: {variable} holds a password"


def _is_taken_away(service: dict[str, Any], value: object) -> bool:
    return value == "" and "env_file" in service


def is_hardened(text: str) -> Iterator[str]:
    for name, service in services(text).items():
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"] or service.get("privileged"):
            yield f"{name} may do more than it needs"
        if "no-new-privileges:true" not in service.get("security_opt", ()):
            yield f"{name} may gain privileges"
        for port in service.get("ports", ()):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name} listens on every address: {port}"


Rule: TypeAlias = Callable[[str], Iterator[str]]

RULES: list[tuple[Rule, str]] = [
    (runs_as_somebody_else, DOCKERFILE),
    (starts_and_stops_cleanly, DOCKERFILE),
    (dockerfile_pins, DOCKERFILE),
    (has_a_good_python, DOCKERFILE),
    (copies_what_is_there, DOCKERFILE),
    (names_settings, DOCKERFILE),
    (names_settings, COMPOSE),
    (names_settings, DEPLOYMENT),
    (compose_pins, COMPOSE),
    (holds_no_secret, COMPOSE),
    (is_hardened, COMPOSE),
]

REQUIRED = re.escape("${AUTHAPI_SECRET:?") + "[^}]*}"

VIOLATIONS: list[tuple[Rule, str, str, str]] = [
    (runs_as_somebody_else, DOCKERFILE, r"^USER .*\n", ""),
    (runs_as_somebody_else, DOCKERFILE, r"^USER .*", "USER root"),
    (runs_as_somebody_else, DOCKERFILE, r"^USER .*", "USER 0:0"),
    (runs_as_somebody_else, DOCKERFILE, r"^(USER .*\n)((?s:.*)^ENTRYPOINT .*\n)", r"\2\1"),
    (runs_as_somebody_else, DOCKERFILE, r"^(CMD .*)", r"\1\nUSER root"),
    (starts_and_stops_cleanly, DOCKERFILE, r"^HEALTHCHECK ", "# "),
    (starts_and_stops_cleanly, DOCKERFILE, r"/health/live", "/"),
    (starts_and_stops_cleanly, DOCKERFILE, r"^ENTRYPOINT .*", "ENTRYPOINT authapi"),
    (starts_and_stops_cleanly, DOCKERFILE, r"^STOPSIGNAL .*", "STOPSIGNAL SIGKILL"),
    (dockerfile_pins, DOCKERFILE, r"python:[^ ]+", "python:latest"),
    (dockerfile_pins, DOCKERFILE, r"python:[^ ]+", "python"),
    (dockerfile_pins, DOCKERFILE, r"ARG ARGON2=wheel", "ARG ARGON2=unknown"),
    (has_a_good_python, DOCKERFILE, r"python:3\.\d+", "python:3.10"),
    (has_a_good_python, DOCKERFILE, r"python:[^ ]+", "debian:13"),
    (copies_what_is_there, DOCKERFILE, r"COPY src", "COPY source"),
    (copies_what_is_there, DOCKERFILE, r"COPY src", "COPY tests"),
    (names_settings, DOCKERFILE, r"AUTHAPI_HOST", "AUTHAPI_BIND"),
    (names_settings, COMPOSE, r"AUTHAPI_REDIS_URL:", "AUTHAPI_REDISURL:"),
    (names_settings, DEPLOYMENT, r"AUTHAPI_DATABASE_POOL", "AUTHAPI_POOL_SIZE"),
    (compose_pins, COMPOSE, r"valkey/valkey:\S+", "valkey/valkey"),
    (compose_pins, COMPOSE, r"postgres:18\S*", "postgres:latest"),
    (holds_no_secret, COMPOSE, REQUIRED, "hunter2hunter2hunter2hunter2hunter2"),
    (holds_no_secret, COMPOSE, REQUIRED, "${AUTHAPI_SECRET:-hunter2hunter2hunter2hunter2hunter2}"),
    (holds_no_secret, COMPOSE, REQUIRED, "${AUTHAPI_SECRET}"),
    (holds_no_secret, COMPOSE, r'POSTGRES_PASSWORD: ""', "POSTGRES_PASSWORD: hunter2"),
    (holds_no_secret, COMPOSE, r"POSTGRES_PASSWORD: \$.*", 'POSTGRES_PASSWORD: ""'),
    (holds_no_secret, COMPOSE, r"authapi:\$\{[^}]*\}@", "authapi:hunter2@"),
    (holds_no_secret, COMPOSE, r"authapi:\$\{[^}]*\}@", "authapi:${POSTGRES_PASSWORD:-hunter2}@"),
    (is_hardened, COMPOSE, r"  read_only: true\n", ""),
    (is_hardened, COMPOSE, r"cap_drop: \[ALL\]", "cap_drop: [NET_RAW]"),
    (is_hardened, COMPOSE, r"  security_opt: .*\n", ""),
    (is_hardened, COMPOSE, r'"127\.0\.0\.1:8000:8000"', '"8000:8000"'),
]


def _named(value: object) -> str | None:
    if isinstance(value, str) and len(value) > 200:
        return {DOCKERFILE: "Dockerfile", COMPOSE: "compose", DEPLOYMENT: "DEPLOYMENT"}.get(value)
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("rule", "text"), RULES, ids=_named)
def test_the_files_keep_to_the_rules(rule: Rule, text: str) -> None:
    assert list(rule(text)) == []


@pytest.mark.parametrize(("rule", "text", "pattern", "planted"), VIOLATIONS, ids=_named)
def test_a_planted_violation_is_found(rule: Rule, text: str, pattern: str, planted: str) -> None:
    broken, places = re.subn(pattern, planted, text, flags=re.MULTILINE)
    assert places > 0
    assert broken != text
    assert list(rule(broken)) != []


def test_secrets_are_required_by_the_compose_file() -> None:
    assert set(re.findall(r"\$\{(\w+):\?", COMPOSE)) == {"AUTHAPI_SECRET", "POSTGRES_PASSWORD"}


def test_only_what_is_named_gets_into_the_build() -> None:
    lines = [line for line in IGNORE.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert not any(fnmatch(secret, line[1:]) for secret in (".env", ".git") for line in lines if line[0] == "!")


def test_every_exception_is_one() -> None:
    assert not NO_SETTINGS.keys() & SETTINGS
    assert all(NO_SETTINGS.values())
