"""What happens at the site, by chance: the steps of the model over HTTP, and the faults between them."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.support.model.cast import Account, Record
from tests.support.model.reference import SECOND
from tests.support.model.site import Site
from tests.support.model.watch import Violation
from tests.support.people import PREFIX, bearer

Deed = Callable[[Site], Awaitable[None]]


async def begin(site: Site) -> None:
    for account in site.accounts:
        await site.begin("/signup", account)
        await site.begin("/login", account)


async def refresh(site: Site) -> None:
    """One refresh; whoever asked may never see the answer, which nobody else can tell."""
    record, early = site.any_record(), site.machines.now()
    request = await site.send(record, site.any_token(record), site.any_instance())
    site.note(f"{record.id} refresh {request}")
    await site.settle(early, {record.id: [request]}, ended={})
    if request.case == "reused":
        await site.refused(record, within=0)
    elif request.given and len(record.access) > 1:
        await site.present_access(record, site.chance.choice(record.access[:-1]))


async def crowd(site: Site) -> None:
    """Several at once through both instances, sometimes with a logout among them."""
    record, early = site.any_record(), site.machines.now()
    sent = [site.send(record, site.any_token(record), site.any_instance()) for _ in range(site.chance.randint(2, 5))]
    if site.chance.random() < 0.15:
        sent.insert(1, site.log_out(record, site.any_token(record), site.any_instance()))
    requests = list(await asyncio.gather(*sent))
    site.note(f"{record.id} at once {requests}")
    await site.settle(early, {record.id: requests}, ended={})


async def move(site: Site) -> None:
    w = site.machines.window
    seconds = site.chance.choice((w * 0.5, w + 1, w + 1, 3 * w, 10 * w + 1, 60, 900, 900, 6 * 3600, 86_400))
    if site.chance.random() < 0.08:
        record = site.any_record()
        seconds = max(1, (record.reference.until - site.machines.now()) / SECOND + site.chance.choice((-2, 0.1)))
    site.note(f"time moves on by {seconds} s")
    site.machines.advance(seconds)


async def log_in(site: Site) -> None:
    site.note("a login")
    await site.begin("/login", site.chance.choice(site.accounts))


async def log_out(site: Site) -> None:
    record, early = site.any_record(), site.machines.now()
    request = await site.log_out(record, site.any_token(record), site.any_instance())
    site.note(f"{record.id} logs out")
    await site.settle(early, {record.id: [request]}, ended={})


async def _with_access(site: Site, scope: str, ask: Callable[[Record, str], Awaitable[int]]) -> None:
    """Something that a person does with an access token, and which ends sessions."""
    record = site.any_record()
    if not site.may_ask(record):
        return await refresh(site)
    early, reason = site.machines.now(), "password_changed" if scope == "change" else "ended_elsewhere"
    site.note(f"{record.id} ends {scope}")
    if await ask(record, record.access[-1]) != 204:
        raise Violation(f"I10: {scope} by {record.id} was not answered 204")
    others = [each for each in site.records if each.owner is record.owner and each is not record]
    ended = {each.id: reason for each in others}
    if scope == "all":
        ended[record.id] = "logout"
    await site.settle(early, {}, ended=ended)


async def end_others(site: Site) -> None:
    scope = site.chance.choice(("others", "all"))

    async def ask(record: Record, token: str) -> int:
        return (await site.post(site.any_instance(), "/logout", {"scope": scope}, token)).status_code

    await _with_access(site, scope, ask)


async def change_password(site: Site) -> None:
    """Its other sessions end; from now on the account has the new one."""

    async def ask(record: Record, token: str) -> int:
        account, new = record.owner, f"staple battery horse {site.chance.random()}"
        body = {"current_password": account.credentials["password"], "password": new}
        account.credentials = account.credentials | {"password": new}
        return (await site.post(site.any_instance(), "/password/change", body, token)).status_code

    await _with_access(site, "change", ask)


async def end_one(site: Site) -> None:
    """A device ends another one of the same person, or finds no such session where it is somebody else's."""
    by, other = site.any_record(), site.chance.choice(site.records)
    if not site.may_ask(by) or by is other:
        return await refresh(site)
    early, is_own = site.machines.now(), by.owner is other.owner
    path, headers = f"{PREFIX}/sessions/{other.id}", bearer(by.access[-1])
    reply = await site.any_instance().client.delete(path, headers=headers)
    site.note(f"{by.id} ends {other.id}: {reply.status_code}")
    if reply.status_code != (204 if is_own else 404):
        raise Violation(f"I10: {by.id} ends {other.id}: {reply.status_code} {reply.text}")
    await site.settle(early, {}, ended={other.id: "ended_elsewhere"} if is_own else {})


async def access(site: Site) -> None:
    record = site.chance.choice(site.records)
    await site.present_access(record, site.chance.choice(record.access))
    await site.settle(site.machines.now(), {}, ended={})


async def garbage(site: Site) -> None:
    """A token with one character changed: it refreshes nothing, ends nothing, changes nothing."""
    record, early = site.chance.choice(site.records), site.machines.now()
    text = list(record.text(site.chance.choice(record.tokens)))
    place = site.chance.randrange(3, len(text) - 1)
    text[place] = "A" if text[place] != "A" else "B"
    refused = await site.post(site.any_instance(), "/refresh", {"refresh_token": "".join(text)})
    ignored = await site.post(site.any_instance(), "/logout", {"refresh_token": "".join(text)})
    if (refused.status_code, refused.json()["code"], ignored.status_code) != (401, "invalid_token", 204):
        raise Violation(f"I9: garbage was answered {refused.text} and {ignored.status_code}")
    site.seen["garbage"] += 1
    await site.settle(early, {}, ended={})


async def disable(site: Site) -> None:
    """Nobody who is disabled refreshes; enabled again, all is as before."""
    account, early = site.chance.choice(site.accounts), site.machines.now()
    await _set_disabled(site, account, "now()")
    for record in [each for each in site.records if each.owner is account]:
        reply = await site.post(site.any_instance(), "/refresh", {"refresh_token": record.text(site.any_token(record))})
        if (reply.status_code, reply.json()["code"]) != (401, "session_ended"):
            raise Violation(f"I10: {reply.text} for somebody who is disabled")
    await _set_disabled(site, account, "NULL")
    await site.settle(early, {}, ended={})


async def _set_disabled(site: Site, account: Account, value: str) -> None:
    statement = f"UPDATE users SET disabled_at = {value} WHERE email = $1"
    await site.machines.rows(statement, account.credentials["email"])


DEEDS: tuple[tuple[Deed, int], ...] = (
    *((refresh, 44), (crowd, 8), (move, 18), (log_in, 7), (log_out, 2), (end_others, 1), (end_one, 2)),
    *((change_password, 1), (access, 11), (garbage, 5), (disable, 1)),
)
