"""A whole run of the service with secrets that can be told apart: good ones, wrong ones, and ones in odd places."""

import base64
from typing import Any

import httpx
from sqlalchemy import text

from authapi.core.context import Context
from tests.support.outside import MovedClock
from tests.support.people import PREFIX, Person, bearer, log_in, sign_up

RIGHT = "canary-right violet staple 4711"
WRONG = "canary-wrong amber staple 4712"
SHORT = "cnr!7Q"
LONG = "canary-long-4713 " * 64
ENDLESS = "canary-endless-4714 " * 300
ODD = 'canary-odd\u00e9 "ochre" \\ staple 4715'
NAME = "Canary-name brown staple 4717!"
HEADER = "canary-header-4716-crimson"
SECRETS = {
    "the password": RIGHT,
    "a wrong password": WRONG,
    "a short password": SHORT,
    "a long password": LONG[:60],
    "an endless password": ENDLESS[:60],
    "a password in an odd place": ODD,
    "a password in place of a name": NAME,
    "a secret in a header": HEADER,
}
ADA = {"email": "ada@example.com", "password": RIGHT}

ODD_BODIES: tuple[Any, ...] = (
    {"email": ODD, "password": WRONG},
    {"email": "ada@example.com", "password": {"is": ODD}},
    {"email": "ada@example.com", "password": [ODD]},
    {"email": {"password": ODD}, "password": ODD},
    {"email": "ada@example.com", "password": ODD, "first_name": f"<{ODD}>", "last_name": "x"},
    {"email": "ada@example.com", "password": ODD, "remember_me": ODD},
    {"email": "ada@example.com", "password": ODD, "pass_word": ODD},
    {"refresh_token": {"a": ODD}, "scope": ODD},
    {"refresh_token": ODD, "scope": "all"},
    {"email": "ada@example.com", NAME: RIGHT, "password": RIGHT},
    [ODD, {"password": ODD}],
    ODD,
)
BROKEN_BODIES = (
    f'{{"email": "ada@example.com", "password": "{WRONG}"',
    f'{{"password": "{WRONG}", "password": "{RIGHT}"}}',
    f'{{"password": "{WRONG}\\u0000"}}',
    f'{{"password": {"[" * 40}"{WRONG}"{"]" * 40}}}',
    f"password={WRONG}&email=ada@example.com",
    f'\ufeff{{"password": "{WRONG}"}}',
    "x" * 70_000 + WRONG,
)
BROKEN_TABLES = (
    (
        "ALTER TABLE passwords ADD CONSTRAINT never CHECK (false) NOT VALID",
        "ALTER TABLE passwords DROP CONSTRAINT never",
    ),
    ("ALTER TABLE sessions ADD CONSTRAINT never CHECK (false) NOT VALID", "ALTER TABLE sessions DROP CONSTRAINT never"),
    ("ALTER TABLE passwords RENAME TO away", "ALTER TABLE away RENAME TO passwords"),
    ("ALTER TABLE sessions RENAME TO away", "ALTER TABLE away RENAME TO sessions"),
)


async def tell(ctx: Context, api: httpx.AsyncClient, clock: MovedClock) -> None:
    await passwords(api)
    await rotation(api, clock)
    await ends(api, clock)
    await garbage(api)
    await odd_places(api, await log_in(api, ADA))
    await broken(ctx, api, await log_in(api, ADA))


async def passwords(api: httpx.AsyncClient) -> None:
    for password in (SHORT, LONG, ENDLESS):
        await api.post(f"{PREFIX}/signup", json=ADA | {"password": password})
    await sign_up(api, ADA, first_name="Ada", last_name="Lovelace")
    await api.post(f"{PREFIX}/signup", json=ADA | {"password": WRONG})
    for email in ("ada@example.com", "nobody@example.com"):
        await api.post(f"{PREFIX}/login", json={"email": email, "password": WRONG})


async def rotation(api: httpx.AsyncClient, clock: MovedClock) -> None:
    """Rotated, replayed, displaced, told to reload, and used again when it is too late."""
    ada = await log_in(api, ADA)
    first = ada.refresh_token
    verdicts = [await ada.refresh(), await ada.refresh(first)]
    clock.advance(seconds=30)
    verdicts += [await ada.refresh(first), await ada.refresh(), await ada.refresh(first)]
    clock.advance(seconds=30)
    verdicts += [await ada.refresh(first), await ada.refresh()]
    told = [reply.json().get("rotation") or reply.json()["code"] for reply in verdicts]
    assert told == ["rotated", "replayed", "displaced", "rotated", "reload_tokens", "token_reused", "session_ended"]


async def ends(api: httpx.AsyncClient, clock: MovedClock) -> None:
    one, two, three = [await log_in(api, ADA) for _ in range(3)]
    statuses = [
        (await one.session()).status_code,
        (await one.get("/sessions")).status_code,
        (await api.delete(f"{PREFIX}/sessions/{two.session_id}", headers=bearer(one.access_token))).status_code,
        (await two.session()).status_code,
        (await one.log_out()).status_code,
        (await one.log_out(refresh_token=one.refresh_token)).status_code,
        (await one.refresh()).status_code,
        (await three.log_out(refresh_token=three.refresh_token, scope="all")).status_code,
        (await three.refresh()).status_code,
    ]
    assert statuses == [200, 200, 204, 401, 204, 204, 401, 204, 401]
    four = await log_in(api, ADA)
    clock.advance(minutes=16)
    assert (await four.session()).json()["code"] == "access_token_expired"
    clock.advance(days=8)
    assert (await four.refresh()).json()["code"] == "session_expired"


async def garbage(api: httpx.AsyncClient) -> None:
    for path in ("/signup", "/login", "/refresh", "/logout"):
        for body in ODD_BODIES:
            assert (await api.post(PREFIX + path, json=body)).is_client_error
        for content in BROKEN_BODIES:
            reply = await api.post(
                PREFIX + path, content=content.encode(), headers={"Content-Type": "application/json"}
            )
            assert reply.is_client_error
        form = await api.post(PREFIX + path, data={"password": WRONG})
        assert form.status_code == 415


async def odd_places(api: httpx.AsyncClient, ada: Person) -> None:
    """Passwords and good tokens in paths, queries, headers and in each other's fields."""
    basic = base64.b64encode(f"ada@example.com:{WRONG}".encode()).decode()
    for secret in (WRONG, ada.refresh_token, ada.access_token):
        await api.get(f"/{secret}")
        await api.get(f"{PREFIX}/session", params={"access_token": secret})
        await api.post(f"{PREFIX}/login/{secret}", json=ADA)
        await api.get(f"/problems/{secret}")
        await api.get(f"/docs/{secret}")
        await api.delete(f"{PREFIX}/sessions/{secret}", headers=bearer(ada.access_token))
        await api.post(f"{PREFIX}/refresh", params={"refresh_token": secret}, json={"refresh_token": secret + "x"})
        await api.post(f"{PREFIX}/logout", json={"refresh_token": secret + "x", "scope": "all"})
        await api.post(f"{PREFIX}/login", json={"email": secret, "password": secret})
    await api.post(f"{PREFIX}/refresh", json={"refresh_token": ada.access_token})
    for header in (f"Basic {basic}", f"Bearer {HEADER}", f"Bearer {ada.refresh_token}", f"Bearer {ada.access_token}x"):
        assert (await api.get(f"{PREFIX}/session", headers={"Authorization": header})).status_code == 401
    odd = {"X-Api-Key": HEADER, "Cookie": f"session={HEADER}", "X-Request-ID": HEADER, "X-Forwarded-For": HEADER}
    await api.get(f"{PREFIX}/session", headers=odd | bearer(ada.access_token))
    await api.request(HEADER.upper().replace("-", ""), f"{PREFIX}/session")


async def broken(ctx: Context, api: httpx.AsyncClient, ada: Person) -> None:
    """The database refuses rows and lacks tables: whatever it says of them is logged."""
    for number, (spoil, mend) in enumerate(BROKEN_TABLES):
        async with ctx.db.begin() as tx:
            await tx.execute(text(spoil))
        try:
            new = {"email": f"bob{number}@example.com", "password": RIGHT}
            replies = [
                await api.post(f"{PREFIX}/{path}", json=body) for path in ("signup", "login") for body in (ADA, new)
            ]
            replies += [await ada.refresh(), await ada.session(), await ada.log_out(scope="others")]
        finally:
            async with ctx.db.begin() as tx:
                await tx.execute(text(mend))
        assert [reply for reply in replies if reply.status_code == 500]
