"""The migrations: one line, up, down and up again, and at its end what the models say."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData
from sqlalchemy import Table as AnyTable

import authapi.app  # noqa: F401  (every table is then in the metadata)
from authapi import migrations
from authapi.core.db import Table
from tests.conftest import POSTGRES
from tests.support.contract.schemas import execute, forth, line_faults, model_faults, run_faults, step_faults

FOLDER = migrations.folder()


@pytest.fixture
def empty(worker: int) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    server, name = os.environ[POSTGRES], f"empty_{worker}"
    execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    yield server.rsplit("/", 1)[0] + f"/{name}"
    execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The migrations, to be spoiled."""
    return shutil.copytree(FOLDER, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))


def a_migration(revision: str, after: str, down: str = "pass") -> str:
    return (
        f'"""Add a table of planets."""\nfrom alembic import op\nimport sqlalchemy as sa\n'
        f'revision = "{revision}"\ndown_revision = "{after}"\n'
        'def upgrade() -> None:\n    op.create_table("planets", sa.Column("id", sa.Integer))\n'
        f"def downgrade() -> None:\n    {down}\n"
    )


def plant(folder: Path, text: str, name: str = "2030_01_01_0000_add_planets.py") -> Path:
    (folder / "versions" / name).write_text(text)
    return folder


def head() -> str:
    return str(ScriptDirectory(str(FOLDER)).get_current_head())


def test_the_migrations_stand_in_one_line_and_are_named_by_date_and_deed() -> None:
    assert line_faults(FOLDER) == []


def test_a_second_head_is_found(copy: Path) -> None:
    plant(copy, a_migration("planets", "2026_11_20_1200"))
    assert [fault for fault in line_faults(copy) if "2 heads" in fault and "planets" in fault]


def test_a_name_without_a_date_is_found(copy: Path) -> None:
    plant(copy, a_migration("planets", head()), "add_planets.py")
    assert line_faults(copy) == ["add_planets.py is not named by date and deed"]


def test_the_way_up_leads_back_down_and_up_again(empty: str) -> None:
    assert run_faults(FOLDER, empty) == []


def test_a_way_down_that_leaves_something_is_found(copy: Path, empty: str) -> None:
    assert "after the way down there is still table public.planets" in run_faults(
        plant(copy, a_migration("planets", head())), empty
    )


def test_each_step_can_be_taken_back_by_itself(empty: str) -> None:
    assert step_faults(FOLDER, empty) == []


def test_a_step_that_takes_back_too_much_is_found(copy: Path, empty: str) -> None:
    down = 'op.drop_table("planets"); op.drop_index("ix_audit_events_user_id_at")'
    found = step_faults(plant(copy, a_migration("planets", head(), down)), empty)
    assert found == ["planets taken back leaves another index public.ix_audit_events_user_id_at"]


def test_models_and_schema_agree(empty: str) -> None:
    forth(FOLDER, empty)
    assert model_faults(empty, Table.metadata) == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE users ADD COLUMN planet text", "planet"),
        ("ALTER TABLE users ALTER COLUMN email DROP NOT NULL", "modify_nullable"),
        ("ALTER TABLE audit_events ALTER COLUMN ip TYPE varchar(15)", "modify_type"),
        ("ALTER TABLE audit_events ALTER COLUMN ip SET DEFAULT ''", "modify_default"),
        ("DROP INDEX ix_audit_events_user_id_at", "ix_audit_events_user_id_at"),
        ("CREATE TABLE planets (id int)", "planets"),
    ],
)
def test_a_schema_that_is_not_what_the_models_say_is_found(empty: str, statement: str, named: str) -> None:
    forth(FOLDER, empty)
    execute(empty, statement)
    assert named in str(model_faults(empty, Table.metadata))


def test_a_table_without_a_migration_is_found(empty: str) -> None:
    forth(FOLDER, empty)
    planned = MetaData()
    for table in Table.metadata.sorted_tables:
        table.to_metadata(planned)
    AnyTable("planets", planned, Column("id", Integer))
    assert [fault for fault in model_faults(empty, planned) if "add_table" in fault and "planets" in fault]
