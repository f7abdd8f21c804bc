"""What a request has put off, done as the worker would."""

from sqlalchemy import text

from authapi.core.context import Context
from authapi.outbox.store import DELIVER
from authapi.worker import QUEUES

_TAKE = text("DELETE FROM jobs.pgqueuer WHERE entrypoint = ANY(:entrypoints) RETURNING id, entrypoint, payload")


async def run(ctx: Context) -> int:
    """All that is queued but mail, in order. Returns how much there was."""
    async with ctx.db.begin() as tx:
        jobs = (await tx.execute(_TAKE, {"entrypoints": [name for name in QUEUES if name != DELIVER]})).all()
    for job in sorted(jobs, key=lambda job: int(job.id)):
        await QUEUES[job.entrypoint](ctx, job.payload, job.id)
    return len(jobs)
