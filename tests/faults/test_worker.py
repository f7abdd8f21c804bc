"""The worker dies or freezes while people sign up: no mail that was promised is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from tests.support.faults import breaking
from tests.support.faults.load import Load
from tests.support.faults.parts import Parts
from tests.support.proof import Prove
from tests.support.smtp import MailServer

pytestmark = pytest.mark.xdist_group("faults-worker")

SEED = 20261121
DELIVERED = 90.0
"""Seconds in which all mail must be there, once the worker is: what a dead one had in hand is taken up again."""


@pytest.fixture
async def mailing(tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer) -> AsyncIterator[Parts]:
    mail_server.calm()
    settings = {"AUTHAPI_SMTP_URL": mail_server.url, "AUTHAPI_MAIL_FROM": "hello@example.com"}
    made = Parts(tmp_path_factory.mktemp("mailing"), instances=1, settings=settings)
    try:
        await made.start()
        await asyncio.to_thread(made.worker.start)
        yield made
    finally:
        await made.stop()


@pytest.mark.in_full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [breaking.kill_worker, breaking.freeze_worker], ids=["kill", "freeze"])
async def test_the_worker_fails(
    fault: breaking.Fault,
    mailing: Parts,
    mail_server: MailServer,
    prove: Prove,
    request: pytest.FixtureRequest,
) -> None:
    loads = [Load(mailing.urls, users=15, seed=SEED + number) for number in range(4)]
    for load in loads:
        begun = asyncio.create_task(load.begin())
        async with fault(mailing):
            await begun
    wanted = {person.email for load in loads for person in load.people}
    async with asyncio.timeout(DELIVERED):
        while wanted - _reached(mail_server):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await asyncio.to_thread(mailing.worker.end, signal.SIGTERM) == 0
    for load in loads:
        await load.settle(mailing.rows)
        await load.close()
        assert load.violations == []
    lost = wanted - _reached(mail_server)
    prove(
        f"F-{request.node.callspec.id}-worker",
        f"{'kill -9' if fault is breaking.kill_worker else 'SIGSTOP'} of the worker, 4 times, while people sign up",
        number=f"{len(lost)} of {len(wanted)} letters lost",
        bar="0 lost",
        passed=not lost,
    )


def _reached(mail_server: MailServer) -> set[str]:
    return {recipient for envelope in list(mail_server.envelopes) for recipient in envelope.rcpt_tos}
