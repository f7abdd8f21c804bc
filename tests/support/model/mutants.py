"""Faults to be found out: one function each of the real code, with one thing in it changed, in memory only."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from authapi.sessions import rotation, service


@dataclass(frozen=True, slots=True)
class Mutant:
    """`right` stands once in the function and becomes `wrong`."""

    name: str
    module: ModuleType
    function: Callable[..., Any]
    right: str
    wrong: str

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = inspect.getsource(self.function)
        assert source.count(self.right) == 1, f"{self.name}: the code has changed; change the mutant with it"
        made: dict[str, Any] = {}
        exec(source.replace(self.right, self.wrong), vars(self.module), made)  # noqa: S102 (our own code)
        monkeypatch.setattr(self.module, self.function.__name__, made[self.function.__name__])


def _rotation(function: Callable[..., Any], name: str, right: str, wrong: str) -> Mutant:
    return Mutant(name, rotation, function, right, wrong)


def _move(name: str, right: str, wrong: str) -> Mutant:
    return Mutant(name, service, service._move_on, right, wrong)


MUTANTS = (
    _rotation(rotation.decide, "the window of a retry ends too early", "since_use <= window", "since_use < window"),
    _rotation(rotation.decide, "replays have no end", " and since_rotation <= REPLAYS * window", ""),
    _rotation(
        rotation.decide,
        "the end of all replays comes too early",
        "since_rotation <= REPLAYS",
        "since_rotation < REPLAYS",
    ),
    _rotation(
        rotation.decide,
        "a replay does not open the window again",
        "(state.replayed_at or state.rotated_at)",
        "state.rotated_at",
    ),
    _rotation(rotation.decide, "the window is ignored", "REPLAYED if replays else", "REPLAYED if True else"),
    _rotation(rotation.decide, "a lost answer is not forgiven later", "else Verdict.DISPLACED", "else Verdict.REUSED"),
    _rotation(
        rotation.decide,
        "a slow tab is judged too early",
        "RELOAD if since_rotation <= window",
        "RELOAD if since_rotation < window",
    ),
    _rotation(
        rotation.decide, "reuse is never seen", "RELOAD if since_rotation <= window else Verdict.REUSED", "RELOAD"
    ),
    _rotation(rotation.decide, "zero is not strict", "if not window:", "if False:"),
    _rotation(rotation.decide, "the end is skipped", "state.ended_at is not None", "False"),
    _rotation(
        rotation.decide,
        "idle expiry comes too late",
        "state.now >= state.idle_expires_at",
        "state.now > state.idle_expires_at",
    ),
    _rotation(rotation.decide, "expiry is not looked at", "return Verdict.EXPIRED", "pass"),
    _rotation(rotation.decide, "generations are not compared", "presented.generation > state.generation", "False"),
    _rotation(
        rotation.decide, "state is lost too soon", "presented.generation > state", "presented.generation >= state"
    ),
    _rotation(rotation.child, "a parent lives for ever", "same(token.hash, state.token_hash)", "token.generation"),
    _rotation(rotation.child, "an earlier key is forgotten", "in keys.items()", "in list(keys.items())[:1]"),
    _rotation(rotation._follow, "a successor does not depend on its parent", "presented.raw + salt", "salt"),
    _rotation(rotation.read, "the tag is not checked", "or not same", "or None is same"),
    _move("a rotation keeps the last replay", ", session.replayed_at = now, None", " = now"),
    _move("the idle expiry does not roll on", "session.idle_expires_at = ", "_ = "),
    _move("it rolls past the absolute expiry", "min(idle, session.absolute_expires_at)", "idle"),
    _move(
        "the salt is not kept",
        ", session.salt = following.generation, following.hash, salt",
        " = following.generation, following.hash",
    ),
)
