"""One token, many at once, over two processes."""

import asyncio
from collections import Counter

from sqlalchemy import text

from authapi.core.context import open_context
from tests.races.conftest import Site
from tests.support.people import PASSWORD, PREFIX, Person, log_in, sign_up
from tests.support.proof import Prove

ROUNDS = 8


async def test_of_a_hundred_simultaneous_refreshes_one_rotates_and_all_get_its_successor(
    site: Site, prove: Prove
) -> None:
    ada = await sign_up(site.a)
    body = {"refresh_token": ada.refresh_token}
    sides = [site.a, site.b]
    replies = await asyncio.gather(*(sides[i % 2].post(f"{PREFIX}/refresh", json=body) for i in range(100)))
    assert [reply.status_code for reply in replies] == [200] * 100
    successors = {reply.json()["refresh_token"] for reply in replies}
    prove(
        "R-refresh",
        "one refresh token presented 100 times at once, over two processes",
        number=len(successors),
        bar="1 successor for all, 1 rotation (I2, I3)",
        passed=len(successors) == 1,
    )
    assert sorted(reply.json()["rotation"] for reply in replies) == ["replayed"] * 99 + ["rotated"]
    async with open_context(site.settings) as ctx, ctx.db() as tx:
        assert (await tx.execute(text("SELECT generation FROM sessions"))).scalars().all() == [1]
    ada.tokens = replies[0].json()
    assert (await ada.refresh(at=site.b)).json()["rotation"] == "rotated"


async def test_after_an_acknowledged_logout_no_refresh_in_flight_succeeds(site: Site, prove: Prove) -> None:
    await sign_up(site.a)
    later = Counter[str]()
    for _ in range(10):
        ada = await log_in(site.a)

        async def go_on(ada: object = ada) -> None:
            token = ada.refresh_token  # type: ignore[attr-defined]
            for i in range(6):
                reply = await [site.a, site.b][i % 2].post(f"{PREFIX}/refresh", json={"refresh_token": token})
                if reply.status_code == 200:
                    token = reply.json()["refresh_token"]
            ada.tokens["refresh_token"] = token  # type: ignore[attr-defined]

        out = {"refresh_token": ada.refresh_token}
        _, reply = await asyncio.gather(go_on(), site.b.post(f"{PREFIX}/logout", json=out))
        assert reply.status_code == 204
        for side in (site.a, site.b):
            later[(await ada.refresh(at=side)).json().get("code", "accepted")] += 1
            assert (await ada.session(at=side)).status_code == 401
    prove(
        "R-logout",
        "10 logouts, each beside refreshes in flight at two processes",
        number=later["accepted"],
        bar="0 tokens accepted after the logout was acknowledged (I10)",
        passed=later == {"session_ended": 20},
    )


async def test_refreshes_that_share_statements_stand_no_logout_of_many_in_the_way(site: Site, prove: Prove) -> None:
    """And it none in theirs, although both lock many sessions: none waits for another's end, or fails by it."""
    sides = (site.a, site.b)
    people = [await sign_up(site.a, {"email": f"p{number}@example.com", "password": PASSWORD}) for number in range(6)]
    ended, wrong = 0, Counter[str]()
    for turn in range(ROUNDS):
        devices = {
            each.credentials["email"]: [await log_in(site.a, each.credentials) for _ in range(5)] for each in people
        }
        leaving = [mine[turn % 5] for mine in devices.values()]
        refreshes = [
            one.refresh(at=sides[(turn + place) % 2])
            for mine in zip(*devices.values(), strict=True)
            for place, one in enumerate(mine)
            if one not in leaving
        ]
        outs = [sides[turn % 2].post(f"{PREFIX}/logout", json=_others(one)) for one in leaving]
        halfway = len(refreshes) // 2
        replies = await asyncio.gather(*refreshes[:halfway], *outs, *refreshes[halfway:])
        wrong.update(str(reply.status_code) for reply in replies if reply.status_code not in (200, 204, 401))
        for mine in devices.values():
            after = [await one.refresh(at=side) for one in mine if one not in leaving for side in sides]
            wrong.update(reply.text for reply in after if reply.json().get("code") != "session_ended")
            ended += len(after)
        stayed = [await one.refresh() for one in leaving]
        wrong.update(reply.text for reply in stayed if reply.json().get("rotation") != "rotated")
    prove(
        "R-batches",
        f"{ROUNDS} times 24 refreshes at two processes beside 6 logouts of all others, {ended} tokens tried after them",
        number=sum(wrong.values()),
        bar="0 refused but for the end of their session, 0 accepted after it (I10)",
        passed=not wrong,
    )


def _others(person: Person) -> dict[str, str]:
    return {"refresh_token": person.refresh_token, "scope": "others"}


async def test_of_twenty_simultaneous_signups_one_wins(site: Site) -> None:
    body = {"email": "carol@example.com", "password": "correct horse battery staple"}
    sides = [site.a, site.b]
    replies = await asyncio.gather(*(sides[i % 2].post(f"{PREFIX}/signup", json=body) for i in range(20)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19


async def test_simultaneous_logins_never_leave_more_sessions_than_allowed(site: Site) -> None:
    ada = await sign_up(site.a)
    sides = [site.a, site.b]
    people = await asyncio.gather(*(log_in(sides[i % 2]) for i in range(59)))
    assert len((await people[-1].get("/sessions")).json()["sessions"]) == 50
    assert (await ada.refresh()).json()["reason"] == "too_many_sessions"
