"""Sessions whose rows are in memory, decided by the service's own functions and, beside them, by the reference.

What `service._refresh_slowly` does around the decision is done here without a database; over HTTP all of it runs.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from authapi.core.context import Context
from authapi.core.http import Client
from authapi.sessions import rotation, service
from authapi.sessions.models import Session
from authapi.sessions.rotation import Verdict
from tests.support.model.reference import GOOD, SECOND, Reference, Token, begun
from tests.support.model.watch import Moment, Violation, Watch

START = datetime(2026, 11, 21, tzinfo=UTC)
DAY = 86_400 * SECOND
IDLE, ABSOLUTE = 7 * DAY, 8 * DAY
NOBODY = Client("192.0.2.1", "model")
COLUMNS = ("generation", "token_hash", "salt", "rotated_at", "replayed_at", "idle_expires_at", "ended_at", "end_reason")

STEPS = (1, SECOND // 2, SECOND, 3 * SECOND, 30 * SECOND, 900 * SECOND, DAY // 3, DAY)


@dataclass(slots=True)
class Locked:
    """As `store.locked` returns it."""

    Session: Session
    now: datetime
    disabled_at: datetime | None = None


class Decided:
    """One session, whose tokens are presented through any of the instances, which differ in their keys."""

    def __init__(self, instances: Sequence[Context], now: int, *, absolute: int | None) -> None:
        self.instances = instances
        ctx = instances[0]
        until = now + min(IDLE, absolute or IDLE)
        token = rotation.mint(ctx.vault.keys(service.PURPOSE), ctx.random.id(), 0, ctx.random.bytes(32))
        self.row = Locked(_session(token, _time(now), until, None if absolute is None else now + absolute), _time(now))
        self.first = Token(token.text(), 0)

    def refresh(self, text: str, now: int, instance: int = 0) -> tuple[str, Token | None]:
        """The case, or `invalid`, and the token that is given."""
        ctx, session, row = self.instances[instance], self.row.Session, self.row
        row.now = _time(now)
        presented = rotation.read(ctx.vault.keys(service.PURPOSE), text)
        if presented is None:
            return "invalid", None
        verdict, current = service.judge(ctx, session, presented, cast(Any, row))
        given = None
        if verdict is Verdict.REPLAYED and current is not None:
            session.replayed_at, given = row.now, current
        elif verdict in (Verdict.ROTATED, Verdict.DISPLACED):
            given = service._move_on(ctx, NOBODY, session, presented, row.now)
        elif verdict is Verdict.REUSED:
            self.end(now, "token_reused")
        return verdict.value, None if given is None else Token(given.text(), given.generation)

    def would_move(self, texts: Sequence[str], now: int) -> list[str]:
        """Those that would be accepted now; nothing is changed."""
        ctx, self.row.now = self.instances[0], _time(now)
        tokens = [rotation.read(ctx.vault.keys(service.PURPOSE), text) for text in texts]
        verdicts = [service.judge(ctx, self.row.Session, token, cast(Any, self.row))[0] for token in tokens if token]
        return [text for text, verdict in zip(texts, verdicts, strict=True) if verdict.value in GOOD]

    def end(self, now: int, reason: str = "logout") -> None:
        self.row.Session.ended_at, self.row.Session.end_reason = _time(now), reason

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self.row.Session, name) for name in COLUMNS}

    def restore(self, columns: dict[str, Any]) -> None:
        for name, value in columns.items():
            setattr(self.row.Session, name, value)


class World:
    """Plays scripts: each two bytes are one action, so that every string of bytes is a script.

    Zero does nothing. Time never goes back.
    """

    def __init__(self, instances: Sequence[Context], seen: Counter[str]) -> None:
        self.instances, self.seen = instances, seen
        self.window = int(instances[0].settings.refresh_reuse_window * SECOND)
        self.now = 0
        self.trail: list[str] = []
        self.steps = 0
        """After which everything was checked."""
        self.begin(0)

    def play(self, script: bytes) -> None:
        """Raises Violation, with what was done up to there."""
        try:
            for kind, argument in zip(script[::2], script[1::2], strict=False):
                ACTIONS[kind % len(ACTIONS)](self, argument)
        except AssertionError as error:
            raise Violation(f"{error}\nwindow {self.window} µs; what was done:\n" + "\n".join(self.trail)) from None

    def note(self, deed: str) -> None:
        self.trail.append(f"  {self.now:>16,} µs  {deed}")

    def nothing(self, _: int) -> None:
        pass

    def begin(self, argument: int) -> None:
        absolute = ABSOLUTE if argument % 2 else None
        self.session = Decided(self.instances, self.now, absolute=absolute)
        self.reference = begun(self.session.first, self.now, window=self.window, idle=IDLE, absolute=absolute)
        self.tokens = [self.session.first]
        self.watch = Watch(self.window, self.session.first, self.reference.until)
        self.kept: tuple[dict[str, Any], Reference] | None = None
        self.note(f"a session begins, absolute lifetime {absolute}")

    def begin_if_over(self, argument: int) -> None:
        if self.watch.is_over is not None:
            self.begin(argument)

    def present(self, argument: int) -> None:
        self._present(self._choose(argument & 0x7F), argument >> 7)

    def insist(self, argument: int) -> None:
        """A client that gets no answer sends the same token again, up to 15 times and just inside the window."""
        token, pause = self.reference.current, self.window if argument > 127 else self.window * 7 // 8
        for number in range(1 + argument % 16):
            self._present(token, number % 2)
            self.now += pause

    def _present(self, token: Token, instance: int) -> None:
        case, given = self.session.refresh(token.name, self.now, instance)
        self.note(f"token {self.tokens.index(token)} (generation {token.generation}) at {instance}: {case}")
        self.seen[case] += 1
        fresh = given or Token("none", token.generation + 1)
        expected, successor, self.reference = self.reference.present(token, self.now, fresh)
        if (expected, successor) != (case, given):
            raise Violation(f"the contract says {expected}, the service {case}; or it gave another token")
        self.watch.answered(token, case, given, Moment(self.now, self.now))
        self.watch.until = self.reference.until
        if given is not None and given not in self.tokens[-4:]:
            self.tokens.append(given)
        self.check()

    def _choose(self, argument: int) -> Token:
        which, far = argument % 8, argument // 8
        if which < 3:
            return self.reference.current
        if which < 5:
            return self.reference.parent or self.reference.current
        return self.tokens[-1 - far % min(len(self.tokens), 4 if which < 7 else 16)]

    def garbage(self, argument: int) -> None:
        before, text = self.session.columns(), list(self._choose(argument).name)
        place = 3 + argument * 7 % (len(text) - 4)
        text[place] = "A" if text[place] != "A" else "B"
        case, _ = self.session.refresh("".join(text), self.now, argument % 2)
        if case != "invalid" or self.session.columns() != before:
            raise Violation(f"I9: garbage was {case}, or changed the row")

    def move(self, argument: int) -> None:
        """To a microsecond before, at or after what decides next; or on by some step."""
        r = self.reference
        ends = (r.touched + self.window, r.rotated + self.window, r.rotated + 10 * self.window, r.until)
        which, off = argument // 3 % 16, argument % 3 - 1
        target = ends[which] + off if which < 3 or (which == 3 and argument > 127) else self.now + STEPS[which % 8]
        self.now = target if target > self.now else self.now + STEPS[which % 4]
        self.note("time has moved")
        self.check()

    def end(self, _: int) -> None:
        if self.reference.ended is None and self.now < self.reference.until:
            self.session.end(self.now)
            self.reference = replace(self.reference, ended="logout")
            self.watch.ended()
            self.note("a logout")

    def disable(self, _: int) -> None:
        """The person is disabled, the newest token presented, the person enabled again."""
        self.session.row.disabled_at = _time(self.now)
        case = self.session.refresh(self.reference.current.name, self.now)[0]
        self.session.row.disabled_at = None
        if case != "ended":
            raise Violation(f"I10: {case} while the person was disabled")

    def keep(self, _: int) -> None:
        self.kept = self.session.columns(), self.reference

    def lose(self, _: int) -> None:
        """A failover to a replica that lags: what was handed out since then is ahead of the row."""
        if self.kept is not None and self.kept[1].ended is None:
            self.session.restore(self.kept[0])
            self.reference = self.kept[1]
            self.watch = Watch(self.window, self.reference.current, self.reference.until)
            self.note("the database has lost what happened since it was kept")

    def check(self) -> None:
        """After every step: the row is what the reference says, and no more tokens can move it than may."""
        self.steps += 1
        row, r = self.session.row.Session, self.reference
        current = rotation.read(self.instances[0].vault.keys(service.PURPOSE), r.current.name)
        if current is None or row.token_hash != current.hash or row.generation != r.current.generation:
            raise Violation("I1: the row's token is not the newest one")
        if (row.end_reason, row.idle_expires_at) != (r.ended, _time(r.until)):
            raise Violation(f"I11: the row ends {row.end_reason} {row.idle_expires_at}, the contract says {r.ended}")
        movers = self.session.would_move([token.name for token in self.tokens[-5:]], self.now)
        if len(movers) > (2 if self.window else 1):
            raise Violation(f"I1: {len(movers)} tokens can move it")


ACTIONS = (
    *(World.nothing, *[World.present] * 14, World.insist, *[World.move] * 8, *[World.begin_if_over] * 4),
    *(World.garbage, World.end, World.keep, World.lose, World.disable),
)


def _session(token: rotation.RefreshToken, now: datetime, until: int, absolute_until: int | None) -> Session:
    return Session(
        id=token.session_id,
        generation=0,
        token_hash=token.hash,
        salt=None,
        rotated_at=now,
        replayed_at=None,
        idle_lifetime=IDLE // SECOND,
        idle_expires_at=_time(until),
        absolute_expires_at=None if absolute_until is None else _time(absolute_until),
        ended_at=None,
        end_reason=None,
    )


def _time(now: int) -> datetime:
    return START + timedelta(microseconds=now)
