"""Whether the events are still what was written: along each chain, hash by hash, from seal to seal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from authapi.audit import chains, store
from authapi.audit.chains import Anchor, Broken, Point
from authapi.core.context import Context
from authapi.core.secrets import same

PURPOSE = "audit anchors"
PAGE = 2000

Told: TypeAlias = Callable[[int], None]
"""Is given the number of further events that were looked at."""


@dataclass(slots=True)
class Report:
    """`faults` has for each broken chain the first thing that does not fit; what follows it is not looked at."""

    events: int = 0
    chains: int = 0
    faults: dict[int, str] = field(default_factory=dict)


async def extent(ctx: Context) -> int:
    """How many events there are to look at, as the chains say."""
    async with ctx.db() as tx:
        return await store.extent(tx)


async def verify(ctx: Context, told: Told) -> Report:
    """Reads every event, some thousand at a time; those that come meanwhile are left for the next time."""
    report = Report()

    def counted(events: int) -> None:
        report.events += events
        told(events)

    async with ctx.db() as tx:
        found = await store.chains(tx)
    for chain in found:
        report.chains += 1
        fault = await _fault(ctx, chain, counted)
        if fault is not None:
            report.faults[chain] = fault
    return report


async def _fault(ctx: Context, chain: int, told: Told) -> str | None:
    """Once more where the oldest events were deleted meanwhile, for their age."""
    while True:
        began_at = await _beginning(ctx, chain)
        try:
            await _check(ctx, chain, told)
        except Broken as broken:
            if await _beginning(ctx, chain) == began_at:
                return str(broken)
        else:
            return None


async def _beginning(ctx: Context, chain: int) -> int | None:
    async with ctx.db() as tx:
        head = await store.head(tx, chain)
    return None if head is None else head.cut_seq


async def _check(ctx: Context, chain: int, told: Told) -> None:
    """Raises Broken."""
    async with ctx.db() as tx:
        anchors = await store.anchors(tx, chain)  # before the head, which so is never behind them
        head = await store.head(tx, chain)
        first = await store.first(tx, chain)
        now = await store.now(tx, ctx.clock)
    trusted(ctx, anchors)
    if head is None:
        raise Broken("its head is missing")
    if anchors and anchors[-1].seq > head.seq:
        raise Broken(
            f"events {head.seq + 1} to {anchors[-1].seq} are missing, which were sealed on {_day(anchors[-1])}"
        )
    if not chains.may_begin_at(head.cut_seq, anchors, now):
        raise Broken(f"events 1 to {head.cut_seq} were deleted before their time")
    if first is not None and first.seq <= head.cut_seq:
        raise Broken(f"{chains.shown(first)} was inserted before event {head.cut_seq + 1}")
    await walk(ctx, chain, Point(head.cut_seq, head.cut_hash), Point(head.seq, head.hash), anchors, told)
    async with ctx.db() as tx:
        further = await store.beyond(tx, chain)
    if further is not None:
        raise Broken(f"{chains.shown(further)} was inserted after the last")


def trusted(ctx: Context, anchors: Iterable[Anchor]) -> None:
    """Raises Broken unless each is sealed with a key of ours."""
    for anchor in anchors:
        if not chains.is_sealed(ctx.vault.keys(PURPOSE), anchor):
            raise Broken(f"its seal of {_day(anchor)} was changed, or made under another AUTHAPI_SECRET")


async def walk(
    ctx: Context, chain: int, at: Point, end: Point, anchors: Iterable[Anchor] = (), told: Told = lambda events: None
) -> None:
    """From one point of a chain to another. Raises Broken."""
    sealed = {anchor.seq: anchor for anchor in anchors}
    _holds(at, sealed)
    while at.seq < end.seq:
        async with ctx.db() as tx:
            events = await store.page(tx, chain, after=at.seq, upto=end.seq, limit=PAGE)
        if not events:
            raise Broken(f"events {at.seq + 1} to {end.seq} are missing at its end")
        for event in events:
            at = chains.step(at, event)
            _holds(at, sealed)
        told(len(events))
    if not same(at.hash, end.hash):
        raise Broken(f"its head does not fit event {end.seq}, the last")


def _holds(at: Point, sealed: dict[int, Anchor]) -> None:
    anchor = sealed.get(at.seq)
    if anchor is not None and not same(anchor.hash, at.hash):
        raise Broken(f"up to event {at.seq} it is not what was sealed on {_day(anchor)}: it was written anew")


def _day(anchor: Anchor) -> str:
    return f"{anchor.at:%Y-%m-%d}"
