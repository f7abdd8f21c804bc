"""Puts jobs into pgqueuer's queue, without pgqueuer: what serves would load 69 modules of it for one statement."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

JOBS = """
    input AS MATERIALIZED (
        SELECT nextval((SELECT pg_get_serial_sequence('jobs.pgqueuer', 'id'))) AS id,
               priority, entrypoint, payload, execute_after, dedupe_key, headers, ord
          FROM UNNEST({}::int[], {}::text[], {}::bytea[], {}::interval[], {}::text[], {}::jsonb[]) WITH ORDINALITY AS
               t(priority, entrypoint, payload, execute_after, dedupe_key, headers, ord)
    ), inserted AS (
        INSERT INTO jobs.pgqueuer AS job (id, priority, entrypoint, payload, execute_after, dedupe_key, headers, status)
        SELECT id, priority, entrypoint, payload, execute_after + NOW(), dedupe_key, headers, 'queued' FROM input
            ON CONFLICT (dedupe_key)
               WHERE ((status = ANY (ARRAY['queued'::jobs.pgqueuer_status, 'picked'::jobs.pgqueuer_status]))
                      AND (dedupe_key IS NOT NULL))
               DO NOTHING
        RETURNING id, entrypoint, priority, dedupe_key
    ), logged AS (
        INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'queued', entrypoint, priority FROM inserted WHERE id IN (SELECT id FROM input)
    )
"""
"""pgqueuer's own text (`tests/contract/test_jobs_schema.py`) but for its last part, which tells the ids."""

_WAITING = """
    SELECT coalesce(extract(epoch FROM now() - min(execute_after)), 0)
      FROM jobs.pgqueuer WHERE status = 'queued' AND execute_after <= now()
"""

_ENQUEUE = f"WITH {JOBS.format(*(f'${n}' for n in range(1, 7)))} SELECT id FROM inserted"


async def enqueue(
    tx: AsyncSession,
    entrypoint: str,
    payload: bytes,
    *,
    after: timedelta = timedelta(0),
    dedupe_key: str | None = None,
) -> None:
    """A step: the job is there once the transaction is committed. Of several with one `dedupe_key` only the first
    is, until it is done.

    Through the session's own connection: on the driver's it would be committed by itself.
    """
    connection = await tx.connection()
    await connection.exec_driver_sql(_ENQUEUE, ([0], [entrypoint], [payload], [after], [dedupe_key], ["null"]))


async def waiting(tx: AsyncSession) -> float:
    """For how many seconds the oldest job that is due has been waiting for a worker."""
    return float((await tx.execute(text(_WAITING))).scalar_one())


def enqueued(source: str, entrypoint: str, *, payload: str, dedupe_key: str) -> str:
    """The same as common table expressions of another statement: a job for each row of `source`, none without one.

    `payload` and `dedupe_key` are SQL.
    """
    values = ("0", f"'{entrypoint}'", payload, "interval '0'", dedupe_key, "'null'::jsonb")
    return JOBS.format(*(f"ARRAY(SELECT {value} FROM {source})" for value in values))
