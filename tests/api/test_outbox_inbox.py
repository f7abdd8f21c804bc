"""The inbox of development: every message that was sent, and nothing of it in production."""

import pytest

from authapi.core.context import Context
from authapi.outbox import service
from authapi.outbox.messages import VerifyAddress
from tests.conftest import Start
from tests.support.inbox import deliver_due

VERIFY = VerifyAddress("the-token", "471108", 30, "Firefox on Linux", "203.0.113.9")
PATHS = ("/dev/inbox", "/dev/inbox/messages", "/dev/inbox/inbox.js")


async def send(ctx: Context, to: str) -> None:
    async with ctx.db.begin() as tx:
        await service.put(ctx, tx, VERIFY, to=to, user_id=None, locale=None)
    await deliver_due(ctx)


async def test_it_shows_every_message_newest_first(start: Start) -> None:
    ctx, api = await start(smtp_url=None)
    for name in ("ada", "bob", "jürgen"):
        await send(ctx, f"{name}@example.com")
    found = (await api.get("/dev/inbox/messages")).json()
    assert [message["to"] for message in found] == ["jürgen@example.com", "bob@example.com", "ada@example.com"]
    (bobs,) = (await api.get("/dev/inbox/messages", params={"to": "Bob@example.com"})).json()
    assert bobs == found[1]
    assert bobs["subject"] == "Confirm your e-mail address"
    assert "verify#token=the-token" in bobs["text"]
    assert "471108" in bobs["html"]
    assert (await api.get(f"/dev/inbox/messages/{bobs['id']}")).json() == bobs
    assert (await api.get("/dev/inbox/messages/00000000-0000-7000-8000-000000000001")).status_code == 404


async def test_its_page_loads_nothing_from_elsewhere(start: Start) -> None:
    _, api = await start()
    page = await api.get("/dev/inbox")
    assert page.status_code == 200
    policies = page.headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "default-src 'none'; script-src 'self'" in policies[0]
    assert "http" not in page.text
    for name in ("inbox.js", "inbox.css"):
        assert f"/dev/inbox/{name}" in page.text
        assert (await api.get(f"/dev/inbox/{name}")).status_code == 200
    assert (await api.get("/dev/inbox/inbox.html")).status_code == 404


@pytest.mark.parametrize("path", PATHS)
async def test_in_production_there_is_none(start: Start, path: str) -> None:
    _, api = await start(env="production", public_url="https://auth.example.com")
    reply = await api.get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_it_is_not_in_the_contract(start: Start) -> None:
    _, api = await start()
    assert not any("inbox" in path for path in (await api.get("/openapi.json")).json()["paths"])
