"""Sign-ups and sign-ins that come at the same time share statements (`core/batches.py`), and nothing else: each is of
their own person, device and request, and on record as such."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

from authapi.core.context import Context
from tests.conftest import Start
from tests.support.people import ADA, PASSWORD, PREFIX, Person, bearer, log_in, sign_up

MANY = 24
EMAILS = [f"person{number}@example.com" for number in range(MANY)]
NOT_LIMITED = {"limits": {"password.signup.address": "1000/hour"}}

SESSIONS = text("""
    SELECT u.email, s.id::text, s.user_agent FROM sessions AS s JOIN users AS u ON u.id = s.user_id
     WHERE s.id::text = ANY(:ids)
""")
EVENTS = text("""
    SELECT u.email, e.session_id::text, e.user_agent, e.request_id
      FROM audit_events AS e JOIN users AS u ON u.id = e.user_id
     WHERE e.name = 'sign_in.passed' AND e.session_id::text = ANY(:ids)
""")
MAILS = text("""
    SELECT u.email, m.recipient, s.binding
      FROM users AS u JOIN messages AS m ON m.user_id = u.id JOIN one_time_secrets AS s ON s.user_id = u.id
""")
TRANSACTIONS = text("SELECT DISTINCT xmin::text FROM sessions WHERE id::text = ANY(:ids)")
LIVE = text("SELECT id::text FROM sessions WHERE ended_at IS NULL")
ENDED = text("""
    SELECT u.email, s.id::text, s.ended_by::text, s.end_reason, e.data->>'reason', e.request_id
      FROM audit_events AS e JOIN users AS u ON u.id = e.user_id JOIN sessions AS s ON s.id = e.session_id
     WHERE e.name = 'session.ended'
""")
SIGN_INS = text("SELECT DISTINCT xmin::text FROM audit_events WHERE name = 'sign_in.passed'")
COUNTERS = text("SELECT failures, level, pending, let_through FROM sign_in_failures")


async def everyone(api: httpx.AsyncClient, path: str, device: str = "device/{}") -> list[httpx.Response]:
    """All at once, each on a device of their own, or all on the same; every other one wants to be remembered."""

    async def one(number: int, email: str) -> httpx.Response:
        body = {"email": email, "password": PASSWORD, "remember_me": number % 2 == 0}
        return await api.post(f"{PREFIX}/{path}", json=body, headers={"User-Agent": device.format(number)})

    return await asyncio.gather(*(one(number, email) for number, email in enumerate(EMAILS)))


async def rows(ctx: Context, statement: Any, **values: Any) -> list[tuple[Any, ...]]:
    async with ctx.db() as tx:
        return sorted(tuple(row) for row in await tx.execute(statement, values))


async def people_of(ctx: Context, api: httpx.AsyncClient, answers: list[httpx.Response]) -> list[Person]:
    """Each has their own, by what they were told, what the database has, and what their access token is good for."""
    told = [(answer.json()["user"]["email"], answer.json()["session_id"]) for answer in answers]
    ids = [id for _, id in told]
    assert [email for email, _ in told] == EMAILS
    devices = [(*each, f"device/{number}") for number, each in enumerate(told)]
    assert await rows(ctx, SESSIONS, ids=ids) == sorted(devices)
    events = [(*device, answer.headers["x-request-id"]) for device, answer in zip(devices, answers, strict=True)]
    assert await rows(ctx, EVENTS, ids=ids) == sorted(events)
    assert len(await rows(ctx, TRANSACTIONS, ids=ids)) < MANY
    people = [Person(api, answer.json()) for answer in answers]
    seen = [(await person.session()).json() for person in people]
    assert [(each["user"]["email"], each["session"]["id"]) for each in seen] == told
    until = [answer.json()["refresh_expires_at"] for answer in answers]
    assert [each["session"]["expires_at"] for each in seen] == until
    return people


async def test_each_gets_their_own_account_and_session(start: Start) -> None:
    ctx, api = await start(**NOT_LIMITED)
    people = await people_of(ctx, api, await everyone(api, "signup"))
    assert await rows(ctx, MAILS) == sorted((email, email, email.encode()) for email in EMAILS)
    people += await people_of(ctx, api, await everyone(api, "login"))
    ids = [person.session_id for person in people]
    assert [(await person.refresh()).json()["session_id"] for person in people] == ids
    assert len(set(ids)) == 2 * MANY


async def test_each_clears_their_own_counter_and_ends_their_own_session(start: Start) -> None:
    ctx, api = await start(sessions_per_user=1, **NOT_LIMITED)
    before = await everyone(api, "signup", "one")
    after = await everyone(api, "login", "one")
    ids = [answer.json()["session_id"] for answer in after]
    assert len(await rows(ctx, TRANSACTIONS, ids=ids)) < MANY
    ended = [
        (email, old.json()["session_id"], id, "too_many_sessions", "too_many_sessions", new.headers["x-request-id"])
        for email, old, new, id in zip(EMAILS, before, after, ids, strict=True)
    ]
    assert await rows(ctx, ENDED) == sorted(ended)
    assert await rows(ctx, LIVE) == sorted((id,) for id in ids)
    assert await rows(ctx, COUNTERS) == [(0, 0, 0, True)] * MANY


async def test_each_logout_ends_its_own_session(start: Start) -> None:
    ctx, api = await start(**NOT_LIMITED)
    stays, *leave = people = await people_of(ctx, api, await everyone(api, "signup"))
    twice = leave[0]
    answers = await asyncio.gather(*(person.log_out() for person in (*leave, twice)))
    assert {answer.status_code for answer in answers} == {204}
    noted = {answer.headers["x-request-id"] for answer in answers}
    ended = await rows(ctx, ENDED)
    ids = [person.session_id for person in leave]
    assert [row[:5] for row in ended] == sorted(
        (email, id, id, "logout", "logout") for email, id in zip(EMAILS[1:], ids, strict=True)
    )
    assert {row[5] for row in ended} < noted
    assert len({row[5] for row in ended}) == len(ids)
    assert len(await rows(ctx, TRANSACTIONS, ids=ids)) < MANY / 2
    assert await rows(ctx, LIVE) == [(stays.session_id,)]
    _, elsewhere = await start(**NOT_LIMITED)
    for read in (PREFIX + "/session", "/api/v1/users/me"):  # by the database, and by the copy in Redis
        seen = [await elsewhere.get(read, headers=bearer(person.access_token)) for person in people]
        assert [answer.status_code for answer in seen] == [200] + [401] * len(leave)


async def test_of_many_who_want_one_address_one_gets_it(start: Start) -> None:
    _, api = await start(**NOT_LIMITED)
    calls = (api.post(f"{PREFIX}/signup", json=ADA) for _ in range(MANY))
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * (MANY - 1)]


async def test_a_wrong_password_among_right_ones_is_refused_alone(start: Start) -> None:
    ctx, api = await start(**NOT_LIMITED)
    await everyone(api, "signup")
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email = :email"), {"email": EMAILS[3]})
    bodies = [{"email": email, "password": PASSWORD} for email in EMAILS]
    bodies[7]["password"] += "!"
    bodies.append({"email": "nobody@example.com", "password": PASSWORD})
    answers = await asyncio.gather(*(api.post(f"{PREFIX}/login", json=body) for body in bodies))
    statuses = [200] * MANY
    statuses[3] = statuses[7] = 401
    assert [answer.status_code for answer in answers] == [*statuses, 401]
    told = [answer.json()["user"]["email"] for answer in answers if answer.status_code == 200]
    assert told == [email for number, email in enumerate(EMAILS) if number not in (3, 7)]


async def test_one_person_on_many_devices_at_once_keeps_as_many_sessions_as_they_may(start: Start) -> None:
    ctx, api = await start(sessions_per_user=5, **NOT_LIMITED)
    people = [await sign_up(api), *await asyncio.gather(*(log_in(api) for _ in range(MANY)))]
    assert len(await rows(ctx, SIGN_INS)) == MANY + 1  # none shares a statement, for each must count those before
    live = await rows(ctx, LIVE)
    assert len(live) == 5
    gone = {person.session_id for person in people} - {id for (id,) in live}
    assert [row[1] for row in await rows(ctx, ENDED)] == sorted(gone)
    assert len(gone) == MANY + 1 - 5
    statuses = {person.session_id: (await person.session()).status_code for person in people}
    assert sorted(id for id, status in statuses.items() if status == 200) == [id for (id,) in live]
