"""`authapi audit`: whether what is on record is what was put there."""

import typer

app = typer.Typer(help="What is on record.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """So that `verify` is a command of its own, although it is the only one."""


@app.command()
def verify() -> None:
    """Look for events that were changed, removed, inserted or moved. Exit 1 if there are any."""
    import asyncio

    from authapi.audit import verification
    from authapi.core.context import open_context
    from authapi.core.settings import load
    from authapi.showing import bar

    async def verified() -> verification.Report:
        async with open_context(settings) as ctx:
            with bar("events", await verification.extent(ctx)) as told:
                return await verification.verify(ctx, told)

    settings = load()
    report = asyncio.run(verified())
    for chain, fault in report.faults.items():
        typer.echo(f"Chain {chain}: {fault}.")
    found = f"{len(report.faults)} of them broken" if report.faults else "all whole"
    typer.echo(f"{report.events} events in {report.chains} chains, {found}.")
    raise typer.Exit(bool(report.faults))
