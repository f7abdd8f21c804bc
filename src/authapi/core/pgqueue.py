"""pgqueuer as the worker runs it: its tables in the schema `jobs`, whatever the environment says."""

from datetime import timedelta

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import Driver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.queries import Queries
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy import text

from authapi.core.context import Context


class Names(DBSettings):
    """Without the environment: pgqueuer would take its names from variables as common as `CHANNEL` and `TRIGGER`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


NAMES = Names(db_schema="jobs")
LOG_KEPT = timedelta(days=7)
BATCH = 1000


def queries(driver: Driver) -> Queries:
    return Queries(driver, QueryBuilderEnvironment(NAMES), QueryQueueBuilder(NAMES), QuerySchedulerBuilder(NAMES))


async def purge(ctx: Context) -> None:
    """Forgets old jobs: pgqueuer itself keeps a line of each for ever. Each batch is a transaction of its own."""
    for table in (NAMES.qualified.queue_table_log, NAMES.qualified.statistics_table):
        oldest = f"SELECT id, created FROM {table} ORDER BY id LIMIT :batch"
        old = f"SELECT id FROM ({oldest}) AS oldest WHERE created < now() - CAST(:kept AS interval)"
        statement = text(f"DELETE FROM {table} WHERE id IN ({old}) RETURNING id")
        deleted = BATCH
        while deleted == BATCH:
            async with ctx.db.begin() as tx:
                gone = await tx.scalars(statement, {"batch": BATCH, "kept": LOG_KEPT})
                deleted = len(gone.all())
