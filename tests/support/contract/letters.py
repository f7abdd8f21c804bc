"""The part of the run that goes by mail and by cookie, and the secrets that the letters had in them."""

import re
from collections.abc import Iterable

import httpx

from tests.support.browsers import Page
from tests.support.contract.story import WRONG
from tests.support.emails import ask, confirm, forgot, reset, stop, verify
from tests.support.inbox import Inbox, Letter
from tests.support.people import PREFIX, bearer, log_in, sign_up

FIRST = "canary-first indigo staple 4718"
CHANGED = "canary-changed scarlet staple 4719"
CHOSEN = "canary-chosen maroon staple 4720"
SECRETS = {"a first password": FIRST, "a changed password": CHANGED, "a password after a reset": CHOSEN}
GRACE, NEW = "grace@example.com", "grace@example.org"
TOKEN = re.compile(r"\bot_[A-Za-z0-9_-]{20,}")


async def tell(api: httpx.AsyncClient, browser: httpx.AsyncClient, inbox: Inbox) -> list[Letter]:
    """Returns every letter, in the order in which they came."""
    await verification(api, inbox)
    await password(api, inbox)
    await address(api, inbox)
    await cookies(browser)
    await leaving(api)
    return await inbox.all()


async def verification(api: httpx.AsyncClient, inbox: Inbox) -> None:
    grace = await sign_up(api, {"email": GRACE, "password": FIRST})
    old = await inbox.last(to=GRACE)
    assert (await api.post(f"{PREFIX}/email/resend", headers=bearer(grace.access_token))).is_success
    code = (await inbox.last(to=GRACE)).code
    another = f"{(int(code) + 1) % 1_000_000:06}"
    wrong = [await verify(api, token=f"{old.token}x"), await verify(api, email=GRACE, code=another)]
    assert (await verify(api, email=GRACE, code=code)).status_code == 200
    wrong += [await verify(api, token=old.token), await verify(api, email=GRACE, code=code)]
    assert [reply.status_code for reply in wrong] == [422] * 4


async def password(api: httpx.AsyncClient, inbox: Inbox) -> None:
    grace = await log_in(api, {"email": GRACE, "password": FIRST})
    change = f"{PREFIX}/password/change"
    for current, status in ((WRONG, 401), (FIRST, 204)):
        body = {"current_password": current, "password": CHANGED}
        reply = await api.post(change, json=body, headers=bearer(grace.access_token))
        assert reply.status_code == status, reply.text
    for attempt in (WRONG, CHANGED):
        await api.post(f"{PREFIX}/password/confirm", json={"password": attempt}, headers=bearer(grace.access_token))
    await forgot(api, GRACE)
    token = (await inbox.last(to=GRACE)).token
    assert (await reset(api, f"{token}x", CHOSEN)).status_code == 422
    assert (await reset(api, token, "short")).status_code == 422
    assert (await reset(api, token, CHOSEN)).status_code == 204
    assert (await reset(api, token, CHOSEN)).status_code == 422


async def address(api: httpx.AsyncClient, inbox: Inbox) -> None:
    grace = await log_in(api, {"email": GRACE, "password": CHOSEN})
    await ask(grace, NEW)
    warning, link = (await inbox.last(to=GRACE)).token, (await inbox.last(to=NEW)).token
    assert (await confirm(api, token=warning)).status_code == 422  # no secret works at another purpose
    assert (await confirm(api, token=link)).status_code == 200
    assert (await stop(api, warning)).json()["status"] == "restored"
    owner = (await inbox.last(to=GRACE)).token
    assert (await reset(api, owner, CHOSEN)).status_code == 204
    await forgot(api, "nobody@example.com")
    await inbox.deliver()


async def cookies(browser: httpx.AsyncClient) -> None:
    page = Page(browser)
    await page.enter("login", email=GRACE, password=CHOSEN)
    assert (await page.ask_csrf()).status_code == 200
    assert (await page.refresh()).status_code == 200
    assert (await browser.post(f"{PREFIX}/refresh", headers={"Origin": "https://evil.example"})).is_client_error
    assert (await page.log_out()).status_code == 204


async def leaving(api: httpx.AsyncClient) -> None:
    grace = await log_in(api, {"email": GRACE, "password": CHOSEN})
    headers = bearer(grace.access_token)
    for path in ("", "/events", "/export"):
        assert (await api.get(f"/api/v1/users/me{path}", headers=headers)).status_code == 200
    assert (await api.delete("/api/v1/users/me", headers=headers)).status_code == 202


def tokens(letters: Iterable[Letter]) -> dict[str, str]:
    return {
        f"the token of letter {number}": token
        for number, letter in enumerate(letters, 1)
        for token in TOKEN.findall(letter.text)
    }


def codes(letters: Iterable[Letter]) -> dict[str, str]:
    """By a name that says where they are from, as `leaks.codes_found` wants them."""
    return {
        f"the code of letter {number}": code
        for number, letter in enumerate(letters, 1)
        for code in re.findall(r"^\d{6}$", letter.text, re.MULTILINE)
    }
