"""What a command says on stderr when it cannot do what it was asked, and the exit code that goes with it."""

import sys

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from authapi.core import db
from authapi.core.settings import Misconfigured
from authapi.local.binaries import CannotStart
from authapi.migrations import CannotMigrate
from authapi.serving import CannotServe
from authapi.sessions.keys import TooSoon
from authapi.signin.oversight import UnknownPerson

FAILED, MISCONFIGURED = 1, 2
NOT_MIGRATED = ("3F000", "42P01", "42703")
"""SQLSTATEs of a schema, a table and a column that are not there."""
CANCELLED = "57014"
"""The SQLSTATE of a statement that took longer than it may."""


def tell(error: Exception) -> int:
    """Raises the error again where it is no failure that people can do something about, but a fault of ours."""
    if isinstance(error, Misconfigured):
        lines = "".join(f"\n  - {line}" for line in str(error).splitlines())
        print(f"The settings cannot be used:{lines}", file=sys.stderr)
        return MISCONFIGURED
    sentence = _sentence(error)
    if sentence is None:
        raise error
    print(sentence, file=sys.stderr)
    return FAILED


def _sentence(error: Exception) -> str | None:
    if isinstance(error, CannotMigrate | CannotServe | CannotStart):
        return str(error)
    if isinstance(error, TooSoon):
        return f"Not yet: {error}. With --force it signs at once, and whoever has cached the keys refuses its tokens."
    if isinstance(error, UnknownPerson):
        return f"Nobody here has the id or the address {error}."
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, OSError | TimeoutError | SQLAlchemyError | PostgresError):
        return _database(error)
    return None


def _database(error: Exception) -> str | None:
    origin: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        origin = error.orig.__cause__ or error.orig
    state = str(getattr(origin, "sqlstate", None) or "")
    if state in NOT_MIGRATED:
        return "The database is not migrated: run `authapi migrate up`."
    if state.startswith(("28", "3D")):
        return f"Postgres refuses: {origin}. Correct AUTHAPI_DATABASE_URL."
    if state == CANCELLED:
        return "Postgres cancelled a statement that took longer than it may: try again when the server has less to do."
    if db.is_unavailable(error) or isinstance(error, PostgresError):
        return f"Postgres cannot be reached ({type(origin).__name__}): `authapi doctor` says more."
    return None
