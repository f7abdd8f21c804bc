"""`authapi seed`: people to develop with."""

from typing import Annotated

import typer


def seed(
    people: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
    clean: Annotated[bool, typer.Option("--clean", help="Remove them all instead.")] = False,
) -> None:
    """Make people up, for development: verified and not, on several devices, one disabled, one locked out."""
    import asyncio

    from authapi.commands import seeding
    from authapi.core.context import open_context
    from authapi.core.settings import Misconfigured, load
    from authapi.showing import steps

    async def sow() -> int:
        async with open_context(settings) as ctx:
            with steps(people, f"There are {people} people at {seeding.DOMAIN} already.") as told:
                return await seeding.sow(ctx, people, told=told)

    async def weed() -> int:
        async with open_context(settings) as ctx:
            with steps(None, f"Nobody was at {seeding.DOMAIN}.") as told:
                return await seeding.weed(ctx, told=told)

    settings = load()
    if settings.env == "production":
        raise Misconfigured("AUTHAPI_ENV: people are made up in development only")
    if clean:
        typer.echo(f"{asyncio.run(weed())} people were removed. What is on record about them stays, without them.")
    else:
        typer.echo(f"{asyncio.run(sow())} people were added. The password of everybody is: {seeding.PASSWORD}")
