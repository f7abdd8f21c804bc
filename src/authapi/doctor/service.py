"""Looks at the settings and at everything the service needs, and says what is wrong and how to put it right."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable

import authapi.app  # noqa: F401  (every limit is then known by name)
from authapi.core.context import Context, build
from authapi.core.settings import Misconfigured, Settings, load
from authapi.doctor import database, mail, redis, rules
from authapi.doctor.findings import Finding, error

PATIENCE = 10.0
"""Seconds for all questions to one server."""

PROBES: tuple[tuple[str, Callable[[Context], Awaitable[Iterable[Finding]]]], ...] = (
    ("database", database.probe),
    ("redis", redis.probe),
    ("mail", mail.probe),
)


async def diagnose() -> list[Finding]:
    """What there is to say about the settings in the environment, and then about the servers that they name."""
    try:
        return await examine(load())
    except Misconfigured as misconfigured:
        return rules.faults(misconfigured)


async def examine(settings: Settings) -> list[Finding]:
    """Changes nothing. Whatever fails becomes a finding."""
    findings = rules.judge(settings, metrics_folder=os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
    try:
        ctx = build(settings)
    except Misconfigured as misconfigured:
        return findings + rules.faults(misconfigured)
    try:
        ctx.limiter.check()
    except Misconfigured as misconfigured:
        findings += rules.faults(misconfigured)
    try:
        for found in await asyncio.gather(*(_probe(ctx, subject, probe) for subject, probe in PROBES)):
            findings += found
    finally:
        await ctx.close()
    return findings


async def _probe(
    ctx: Context, subject: str, probe: Callable[[Context], Awaitable[Iterable[Finding]]]
) -> Iterable[Finding]:
    try:
        return await asyncio.wait_for(probe(ctx), PATIENCE)
    except TimeoutError:
        return [error(subject, f"No answer within {PATIENCE:.0f} s.", "Look at its load and at the network between.")]
    except Exception as fault:
        name = type(fault).__name__
        return [
            error(subject, f"It could not be examined: {name}.", "Look at its own log; it should not come to this.")
        ]
