"""The command line. Each command imports what it needs when it runs, so that help comes at once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from authapi.commands.audit import app as audit
from authapi.commands.mail import app as mail
from authapi.commands.seed import seed
from authapi.commands.users import app as users

app = typer.Typer(
    help="A self-hosted authentication service. Every setting is an environment variable, AUTHAPI_….",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
migrate = typer.Typer(help="Bring the database's schema up to date, or back.", no_args_is_help=True)
keys = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)
app.add_typer(migrate, name="migrate")
app.add_typer(keys, name="keys")
app.add_typer(mail, name="mail")
app.add_typer(users, name="users")
app.command()(seed)
app.add_typer(audit, name="audit")

Host = Annotated[str | None, typer.Option(help="The address to listen on. Default: AUTHAPI_HOST.")]
Port = Annotated[int | None, typer.Option(help="The port to listen on. Default: AUTHAPI_PORT.", min=0, max=65535)]


def main() -> None:
    try:
        app()
    except Exception as error:
        from authapi.failures import tell

        sys.exit(tell(error))


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"authapi {version('authapi')}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def dev(host: Host = None, port: Port = None) -> None:
    """Run everything on this machine, with a Postgres and a Valkey of its own, until Ctrl-C."""
    from authapi import dev

    raise typer.Exit(dev.run(host, port))


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(help="Processes that serve.", min=1, max=256)] = 1,
) -> None:
    """Serve the API. On SIGTERM requests in flight are finished."""
    import gc

    gc.disable()  # a sixth of the time that all the imports take; it is on again when the service is up
    from authapi import serving
    from authapi.core.settings import load

    settings = load()
    port = settings.port if port is None else port
    raise typer.Exit(serving.run(settings, host=host or settings.host, port=port, workers=workers))


@app.command()
def worker() -> None:
    """Send mail, and do what is due from time to time: rotate keys, delete dead sessions. Several share the work."""
    import asyncio

    from authapi import worker
    from authapi.core import logs
    from authapi.core.context import open_context
    from authapi.core.settings import load

    async def run() -> None:
        async with open_context(settings) as ctx:
            await worker.run(ctx)

    settings = load()
    logs.configure(settings)
    asyncio.run(run())


@app.command()
def openapi(
    out: Annotated[Path | None, typer.Option(help="Write it to this file; to a folder, with the other pages.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Compare it with this file or folder; exit 1 if it differs.")
    ] = None,
) -> None:
    """Print the OpenAPI document. Needs no settings and no servers."""
    from authapi import reference

    if check is not None:
        faults = reference.check(check) if check.is_dir() else _differs(check, reference.authapi_json())
        typer.echo("".join(f"{fault}\n" for fault in faults), err=True, nl=False)
        raise typer.Exit(bool(faults))
    if out is not None and out.is_dir():
        reference.write(out)
    elif out is not None:
        out.write_text(reference.authapi_json(), encoding="utf-8", newline="\n")
    else:
        typer.echo(reference.authapi_json(), nl=False)


def _differs(path: Path, text: str) -> list[str]:
    is_same = path.is_file() and path.read_text(encoding="utf-8") == text
    return [] if is_same else [f"{path} is not what the code says: run `authapi openapi --out {path}`."]


@app.command()
def doctor() -> None:
    """Look for what is wrong or weak, and say how to put it right. Exit 1 if something must be done."""
    import asyncio

    from authapi.doctor import service
    from authapi.showing import show_findings

    findings = asyncio.run(service.diagnose())
    show_findings(findings)
    raise typer.Exit(any(finding.level == "error" for finding in findings))


@migrate.command()
def up(revision: Annotated[str, typer.Argument(help="Where to stop.")] = "head") -> None:
    """Apply what is missing. Several may start this at once: one does it, the others wait."""
    from authapi import migrations
    from authapi.core.settings import load
    from authapi.showing import steps

    url = load().database_url
    with steps(len(migrations.status(url).pending), "Nothing was missing.") as told:
        migrations.up(url, revision, told=told)


@migrate.command(context_settings={"ignore_unknown_options": True})
def down(
    revision: Annotated[str, typer.Argument(help="The last one to keep; `base` keeps none; -1 takes back one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take back what was applied after a revision. The data in it are lost."""
    from authapi import migrations
    from authapi.core.settings import load
    from authapi.showing import steps

    url = load().database_url
    if not yes:
        typer.confirm(f"Take back the schema to {revision}? What its tables hold is deleted.", abort=True)
    with steps(None, "Nothing was to take back.") as told:
        migrations.down(url, revision, told=told)


@migrate.command()
def status(
    check: Annotated[bool, typer.Option("--check", help="Exit 1 unless the database is at the newest.")] = False,
) -> None:
    """Show where the database is and what is missing."""
    from authapi import migrations
    from authapi.core.settings import load
    from authapi.showing import show_status

    found = migrations.status(load().database_url)
    show_status(found)
    raise typer.Exit(check and (bool(found.pending) or found.is_ahead))


@migrate.command()
def grant(role: Annotated[str, typer.Argument(help="A role that exists and owns nothing.")]) -> None:
    """Allow a role what the service needs and no more: it can add to the audit events, not change them."""
    from authapi import migrations
    from authapi.core.settings import load

    migrations.grant(load().database_url, role)
    typer.echo(f"{role} may serve. Say so again after each `authapi migrate up`.")


@keys.command("list")
def list_keys() -> None:
    """Show the next key, the current one, and those whose tokens may still be valid."""
    import asyncio

    from authapi.core.context import open_context
    from authapi.core.settings import load
    from authapi.sessions import keys
    from authapi.showing import show_keys

    async def found() -> None:
        async with open_context(settings) as ctx:
            show_keys(await keys.status(ctx))

    settings = load()
    asyncio.run(found())


@keys.command()
def rotate(
    force: Annotated[
        bool, typer.Option("--force", help="At once, although others may not know the next key yet.")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Make new ones and refuse every token of the old: one has leaked.")
    ] = False,
) -> None:
    """Sign with the next key from now on. The worker does this by itself every 30 days."""
    import asyncio

    from authapi.core.context import open_context
    from authapi.core.settings import load
    from authapi.sessions import keys

    async def moved() -> str:
        async with open_context(settings) as ctx:
            return await (keys.revoke(ctx) if revoke else keys.rotate(ctx, force=force))

    settings = load()
    typer.echo(f"{asyncio.run(moved())} signs from now on.")
