"""Two who want each other's address, at the same moment, over two processes."""

import asyncio
import json
from uuid import UUID

from authapi.codes import service as codes
from authapi.codes.service import Purpose
from authapi.core.context import open_context
from tests.races.conftest import Site
from tests.support.people import ADA, PREFIX, Person, sign_up


async def asked(site: Site, person: Person, email: str) -> str:
    """The link that proves the address."""
    data = json.dumps({"email": email, "email_key": email, "session_id": person.session_id}).encode()
    async with open_context(site.settings) as ctx, ctx.db.begin() as tx:
        issued = await codes.issue(
            ctx,
            tx,
            Purpose.CHANGE_ADDRESS,
            user_id=UUID(person.tokens["user"]["id"]),
            binding=b"",
            lifetime_seconds=600,
            data=data,
        )
    return issued.token


async def test_of_two_who_prove_each_others_address_one_is_displaced_and_the_other_keeps_a_session(site: Site) -> None:
    for turn in range(4):
        emails = [f"{name}{turn}@example.com" for name in ("ada", "bob")]
        people = [await sign_up(site.a, ADA | {"email": email}) for email in emails]
        tokens = [await asked(site, person, email) for person, email in zip(people, reversed(emails), strict=True)]
        replies = await asyncio.gather(
            *(
                api.post(f"{PREFIX}/email/change/confirm", json={"token": token})
                for api, token in zip((site.a, site.b), tokens, strict=True)
            )
        )
        assert {reply.status_code for reply in replies} <= {200, 422, 503}
        done = [reply.status_code for reply in replies].index(200)
        assert replies[1 - done].status_code != 200
        assert (await people[done].refresh()).status_code == 200
        assert (await people[1 - done].refresh()).json()["reason"] == "address_proved_by_another"
