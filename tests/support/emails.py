"""What people do about their addresses over HTTP."""

import httpx

from tests.support.inbox import Inbox
from tests.support.people import ADA, PREFIX, Person, bearer

CHANGING = ("date", "x-request-id", "ratelimit", "ratelimit-policy")
"""Headers that differ between any two answers."""


def is_invalid(reply: httpx.Response) -> bool:
    body = reply.json()
    return (reply.status_code, body["code"], body["action"]) == (422, "invalid_code", "fix_request")


def alike(reply: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """All of an answer that could tell one case from another."""
    headers = {name: value for name, value in reply.headers.items() if name not in CHANGING}
    return reply.status_code, headers, reply.content


async def verify(api: httpx.AsyncClient, **body: str) -> httpx.Response:
    return await api.post(f"{PREFIX}/email/verify", json=body)


async def prove(api: httpx.AsyncClient, inbox: Inbox, email: str = ADA["email"]) -> None:
    """By the link that was sent last."""
    assert (await verify(api, token=(await inbox.last(to=email)).token)).status_code == 200


async def sign_up_quietly(api: httpx.AsyncClient, credentials: dict[str, str] = ADA, **more: str) -> httpx.Response:
    """Where the address must be proved first."""
    reply = await api.post(f"{PREFIX}/signup", json={**credentials, **more})
    assert (reply.status_code, reply.json()) == (202, {"status": "verification_required"})
    return reply


async def forgot(api: httpx.AsyncClient, email: str = ADA["email"]) -> httpx.Response:
    reply = await api.post(f"{PREFIX}/password/forgot", json={"email": email})
    assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    return reply


async def reset(api: httpx.AsyncClient, token: str, password: str) -> httpx.Response:
    return await api.post(f"{PREFIX}/password/reset", json={"token": token, "password": password})


async def ask(person: Person, email: str) -> httpx.Response:
    """For another address."""
    headers = bearer(person.access_token)
    reply = await person.api.post(f"{PREFIX}/email/change", json={"email": email}, headers=headers)
    assert (reply.status_code, reply.json()) == (202, {"status": "accepted"})
    return reply


async def confirm(api: httpx.AsyncClient, by: Person | None = None, **body: str) -> httpx.Response:
    headers = bearer(by.access_token) if by else {}
    return await api.post(f"{PREFIX}/email/change/confirm", json=body, headers=headers)


async def stop(api: httpx.AsyncClient, token: str) -> httpx.Response:
    return await api.post(f"{PREFIX}/email/change/stop", json={"token": token})


async def move(person: Person, inbox: Inbox, to: str) -> None:
    await ask(person, to)
    reply = await confirm(person.api, token=(await inbox.last(to=to)).token)
    assert (reply.status_code, reply.json()) == (200, {"status": "changed", "email": to})
