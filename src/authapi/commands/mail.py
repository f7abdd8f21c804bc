"""`authapi mail`: what waits to be sent, what has failed, and another try for it."""

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import typer

State: TypeAlias = Literal["queued", "sending", "sent", "failed"]

app = typer.Typer(help="Mail that waits, was sent or has failed.", no_args_is_help=True)


@app.command("list")
def list_messages(
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=10_000)] = 50,
) -> None:
    """Show messages, without their texts: codes and links stay sealed."""
    import asyncio

    from authapi.core.context import open_context
    from authapi.core.settings import load
    from authapi.outbox import service
    from authapi.showing import show_messages

    async def found() -> None:
        async with open_context(settings) as ctx:
            show_messages(await service.latest(ctx, state=state, limit=limit))

    settings = load()
    asyncio.run(found())


@app.command()
def retry(
    ids: Annotated[list[UUID] | None, typer.Argument(help="The messages, as `authapi mail list` shows them.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that have failed.")] = False,
) -> None:
    """Send failed messages again. Exit 1 if one of those named cannot be."""
    import asyncio

    from authapi.core.context import open_context
    from authapi.core.settings import load
    from authapi.outbox import service
    from authapi.showing import counting

    async def named(ids: list[UUID]) -> bool:
        async with open_context(settings) as ctx:
            revived = await service.retry(ctx, ids)
        for id in ids:
            typer.echo(f"{id}  {'queued' if id in revived else 'has not failed, or its text is gone'}")
        return len(revived) == len(ids)

    async def every() -> None:
        async with open_context(settings) as ctx:
            with counting("queued again") as count:
                async for number in service.retry_failed(ctx):
                    count(number)

    if bool(ids) == failed:
        raise typer.BadParameter("Name the messages, or give --failed.")
    settings = load()
    if ids:
        raise typer.Exit(not asyncio.run(named(ids)))
    asyncio.run(every())
