"""The HTTP application: the armour, the route table, and nothing else."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from authapi.addresses.router import router as addresses
from authapi.audit.router import router as events
from authapi.core import document, logs, problems, stack, telemetry
from authapi.core.context import Context, build
from authapi.core.settings import load
from authapi.docs.router import router as docs
from authapi.methods.password.router import router as password
from authapi.operations.router import router as operations
from authapi.outbox.router import router as inbox
from authapi.pages.router import router as pages
from authapi.sessions import denylist, pulse
from authapi.sessions.router import public as keys
from authapi.sessions.router import router as sessions
from authapi.signin.router import router as signin
from authapi.users.router import router as users


def application() -> FastAPI:
    """For uvicorn: `uvicorn --factory authapi.app:application`. Raises Misconfigured."""
    settings = load()
    logs.configure(settings)
    return create_app(build(settings))


def create_app(ctx: Context) -> FastAPI:
    """The app closes the context when it ends."""
    ctx.limiter.check()
    app = stack.Application(
        title="authapi",
        lifespan=_living,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would redirect, with the body, to whatever the Host header says
        telemetry=telemetry.options(ctx.settings),
    )
    app.state.context = ctx
    problems.install(app)
    document.install(app)
    stack.install(app, ctx.settings, ctx.random)
    _include(app)
    app.include_router(operations)
    app.include_router(keys)
    if ctx.settings.shows_docs:
        app.include_router(docs)
    if ctx.settings.link_url is None:
        app.include_router(pages)
    if ctx.settings.env == "development":
        app.include_router(inbox)
    return app


def _include(app: FastAPI) -> None:
    """The login methods stand here one by one; another one is two lines. Each router goes into the app itself:
    FastAPI analyses its routes anew for every other one that it is nested in."""
    for router in (password, sessions, signin, addresses):
        app.include_router(router, prefix="/api/v1/auth")
    for router in (users, events):
        app.include_router(router, prefix="/api/v1/users")


@asynccontextmanager
async def _living(app: FastAPI) -> AsyncIterator[None]:
    ctx: Context = app.state.context
    provider = telemetry.instrument() if ctx.settings.telemetry else None
    async with pulse.beating(ctx):
        denylist.rebuild_soon(ctx)
        gc.freeze()  # what lives as long as the process is never looked at again: fewer and shorter pauses
        gc.set_threshold(5_000, 20, 20)  # a larger young generation costs longer pauses and megabytes of garbage
        gc.enable()
        yield
    await denylist.rest()
    await ctx.close()
    if provider is not None:
        provider.shutdown()
