"""`authapi users`: find people, and what an operator does about them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

if TYPE_CHECKING:
    from authapi.core.context import Context
    from authapi.core.http import Client

T = TypeVar("T")

Who: TypeAlias = Annotated[str, typer.Argument(help="An id or an e-mail address.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON.")]

app = typer.Typer(help="People: find them, sign them out, keep them out, delete them.", no_args_is_help=True)


@app.command()
def find(
    text: Annotated[str, typer.Argument(help="A part of an e-mail address or of a name.")],
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the people whose address or name has a text in it. Exit 1 if there are none."""
    from authapi.showing import show_people
    from authapi.users import service

    found = _done(lambda ctx, _: service.find(ctx, text, limit=limit))
    show_people(found, as_json=as_json)
    raise typer.Exit(not found)


@app.command()
def show(who: Who, as_json: AsJson = False) -> None:
    """Show a person, what they can sign in with, and where they are signed in."""
    from authapi.showing import show_person
    from authapi.signin import oversight

    show_person(_done(lambda ctx, _: oversight.show(ctx, who)), as_json=as_json)


@app.command()
def disable(who: Who) -> None:
    """Sign a person out everywhere and refuse their sign-ins, until `enable`."""
    from authapi.signin import oversight

    user = _done(lambda ctx, client: oversight.disable(ctx, client, who))
    typer.echo(f"{user.email} is disabled and signed out everywhere.")


@app.command()
def enable(who: Who) -> None:
    """Let a disabled person sign in again. Brings back, too, who is to be deleted and is still there."""
    from authapi.signin import oversight

    user = _done(lambda ctx, client: oversight.enable(ctx, client, who))
    typer.echo(f"{user.email} can sign in.")


@app.command()
def end_sessions(who: Who) -> None:
    """Sign a person out everywhere. They can sign in again."""
    from authapi.signin import oversight

    user = _done(lambda ctx, client: oversight.end_sessions(ctx, client, who))
    typer.echo(f"{user.email} is signed out everywhere.")


@app.command()
def send_reset(who: Who) -> None:
    """Mail a person a link to choose a new password. The worker sends it; a disabled person gets none."""
    from authapi.methods.password import oversight

    user = _done(lambda ctx, client: oversight.send_reset(ctx, client, who))
    typer.echo(f"A link for {user.email} is on its way.")


@app.command()
def delete(who: Who, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Sign a person out and keep them out; the worker erases them once their last access token has expired."""
    from authapi.signin import oversight

    user = _done(lambda ctx, _: oversight.show(ctx, who)).user
    if not yes:
        typer.confirm(f"Delete {user.email} ({user.id}) and all that is held about them?", abort=True)
    _done(lambda ctx, client: oversight.delete(ctx, client, str(user.id)))
    typer.echo(f"{user.email} is signed out everywhere and will be erased in about an hour.")


def _done(use: "Callable[[Context, Client], Awaitable[T]]") -> T:
    """Of one use case, on behalf of the operator: with no address, for it comes from no request."""
    import asyncio

    from authapi.core.context import open_context
    from authapi.core.http import Client
    from authapi.core.settings import load

    async def done() -> T:
        async with open_context(settings) as ctx:
            return await use(ctx, Client("", "authapi users", str(ctx.random.id())))

    settings = load()
    return asyncio.run(done())
