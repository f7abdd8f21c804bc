"""A thief who has copied a bearer token, and its owner: two who do not share a store (I8)."""

import random

from tests.support.model.services import Service

APART = 0.5
"""Seconds beyond the window that the two keep apart, at least. Within the window nobody can tell them apart."""

KINDS = ("at random", "in step", "with the parent")


async def heist(service: Service, kind: str, *, window: float, seed: int) -> int:
    """How often the party that refreshes changes after the theft until the session ends; 99 where it never does."""
    chance = random.Random(seed)  # noqa: S311
    now, held = 0.0, {"owner": await service.begin(0.0), "thief": ""}
    parent = held["owner"]
    for _ in range(chance.randint(1, 5)):
        now += chance.uniform(window + APART, 3600)
        parent, held["owner"] = held["owner"], await _good(service, held["owner"], now)
    held["thief"] = parent if kind == "with the parent" else held["owner"]
    changes, last = 0, None
    for turn in range(40):
        now += window + APART + (0 if kind == "in step" and turn % 2 else chance.expovariate(1 / 3600))
        party = ("owner", "thief")[turn % 2] if kind == "in step" else chance.choice(("owner", "thief"))
        changes, last = changes + (last not in (None, party)), party
        answer = await service.refresh(held[party], now)
        if answer.case == "reused":
            assert (await service.refresh(held["owner"], now)).token is None
            assert (await service.refresh(held["thief"], now)).token is None
            return changes
        assert answer.token is not None, answer
        held[party] = answer.token
    return 99


async def _good(service: Service, token: str, now: float) -> str:
    answer = await service.refresh(token, now)
    assert answer.token is not None, answer
    return answer.token
