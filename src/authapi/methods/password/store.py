"""The SQL of passwords."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import db
from authapi.core.batches import Batched, Batcher
from authapi.core.context import Context
from authapi.core.driver import Statement
from authapi.credentials import store as credentials
from authapi.credentials.models import Credential
from authapi.methods.password.models import Password
from authapi.sessions.store import STARTED, familiar
from authapi.signin.store import ADDRESS_WAITS, CLAIMED, CLEARED
from authapi.users.models import User
from authapi.users.store import ADDED, ASKED

METHOD = "password"

_FOUND = """
    SELECT u.id AS user_id, c.id AS credential_id, CASE WHEN u.disabled_at IS NULL THEN own.hash END AS hash, own.set_at
      FROM users AS u LEFT JOIN credentials AS c ON c.user_id = u.id AND c.method = 'password'
                      LEFT JOIN passwords AS own ON own.credential_id = c.id
"""

_BY_EMAIL = Batched(
    "email_key text",
    f"SELECT p.n, found.* FROM {{calls}}, LATERAL ({_FOUND} WHERE u.email_key = p.email_key) AS found",
)

_CLAIM = Batched(
    "email_key text, device_user uuid, device_since timestamptz, device bytea, account bytea, address bytea, "
    "free integer, offset interval",
    f"""
    WITH person AS (
        SELECT p.*, found.* FROM {{calls}} LEFT JOIN LATERAL ({_FOUND} WHERE u.email_key = p.email_key) AS found ON true
    ), attempt AS (
        SELECT person.n, person.free, person.offset, device.is_known,
               CASE WHEN device.is_known THEN person.device ELSE person.account END AS key,
               device.is_known OR NOT {ADDRESS_WAITS} AS let_through
          FROM person, LATERAL (SELECT coalesce(person.user_id = person.device_user
                                            AND person.set_at <= person.device_since, false) AS is_known) AS device
    ), {CLAIMED}
    SELECT person.n, person.user_id, person.credential_id, person.hash, claimed.key, claimed.level, claimed.let_through,
           attempt.is_known
      FROM person JOIN attempt ON attempt.n = person.n JOIN claimed ON claimed.key = attempt.key
    """,
    once="account",
)

_CLAIM_OWN = Statement(f"""
    WITH person AS (
        {_FOUND} WHERE u.id = :user_id
    ), attempt AS (
        SELECT CAST(:device AS bytea) AS key, true AS let_through, CAST(:free AS integer) AS free,
               CAST(:offset AS interval) AS "offset"
    ), {CLAIMED}
    SELECT person.user_id, person.credential_id, person.hash, claimed.key, claimed.level, claimed.let_through,
           true AS is_known
      FROM claimed LEFT JOIN person ON true
""")

_PASSED = audit.sql(
    "sign_in.passed",
    user="person.id",
    session=":session",
    data="jsonb_build_object('method', 'password')",
    source="FROM person",
)

_CROWDED = audit.sql(
    "session.ended",
    user="person.id",
    session="gone.id",
    data="jsonb_build_object('reason', 'too_many_sessions')",
    source="FROM person JOIN room ON room.session = :session, unnest(room.ended) AS gone(id)",
    id="left(CAST(CAST(:event AS uuid) AS text), 19) || right(CAST(gone.id AS text), 17)",
)
"""The id has the time of the sign-in's own event (UUIDv7) and the chance of the session's id."""

_GIVEN = f"""
    credential AS (
        {credentials.added(METHOD, step=1)} RETURNING id, user_id
    ), password AS (
        INSERT INTO passwords (credential_id, hash, set_at)
        SELECT credential.id, CAST(:hash AS text), statement_timestamp() + CAST(:offset AS interval)
          FROM credential JOIN person ON person.id = credential.user_id
    )
"""
"""A password for each row (id) of `person`, who has none. It is not younger than a session of the same statement,
whatever is run first: whose device signed in before the password was set is a stranger's."""

_GIVE = text(f"WITH person AS (SELECT CAST(:user_id AS uuid) AS id), {_GIVEN} SELECT id FROM credential")

_SIGNED_UP = audit.sql(
    "user.signed_up",
    user="added.id",
    data="jsonb_build_object('method', 'password')",
    source="FROM added JOIN asked AS person ON person.user_id = added.id",
    id=":signed_up",
)

_NEW = f"""
    added AS (
        {ADDED}
    ), signed_up AS (
        {_SIGNED_UP} RETURNING user_id
    ), person AS (
        SELECT person.*, person.user_id AS id FROM signed_up JOIN asked AS person ON person.user_id = signed_up.user_id
    ), {_GIVEN}
"""
"""A person and their password for each row (user_id) of `asked`. What else is done for `person` comes after the event,
so is later on record."""

_REGISTER = text(f"WITH asked AS (SELECT CAST(:user_id AS uuid) AS user_id), {_NEW}, {ASKED} SELECT id FROM person")

_SESSION = (
    "session uuid, token_hash bytea, method text, idle_lifetime integer, absolute_lifetime integer, others integer, "
    "event uuid, ip text, user_agent text, request_id text, offset interval"
)

_PERSON = (
    "user_id uuid, email text, email_key text, first_name text, last_name text, credential uuid, hash text, "
    f"signed_up uuid, {_SESSION}"
)

_LINK = (
    "secret uuid, purpose text, digest bytea, code_digest bytea, binding bytea, data bytea, lifetime integer, "
    "message uuid, kind text, recipient text, locale text, sealed bytea, patience interval"
)

_SIGN_UP = {
    is_asked: Batched(
        columns,
        f"""
        WITH asked AS (
            SELECT *, ARRAY[method] AS methods FROM {{calls}}
        ), {_NEW}{also}, {STARTED}, passed AS (
            {_PASSED}
        )
        SELECT person.n, added.*, started.created_at AS started_at, started.idle_expires_at
          FROM person JOIN added ON added.id = person.id JOIN started ON started.session = person.session
        """,
    )
    for is_asked, columns, also in ((False, _PERSON, ""), (True, f"{_PERSON}, {_LINK}", f", {ASKED}"))
}

_PASS = Batched(
    "user_id uuid, hash text, counter bytea, must_verify boolean, is_known boolean, household text, " + _SESSION,
    f"""
    WITH asked AS (
        SELECT *, ARRAY[method] AS methods FROM {{calls}}
    ), proven AS (
        SELECT asked.n, u.* FROM asked JOIN users AS u ON u.id = asked.user_id
                                       JOIN credentials AS c ON c.user_id = u.id AND c.method = 'password'
                                       JOIN passwords AS p ON p.credential_id = c.id
         WHERE u.disabled_at IS NULL AND p.hash = asked.hash
           FOR NO KEY UPDATE OF u, p
    ), person AS (
        SELECT person.*, proven.id FROM proven JOIN asked AS person ON person.n = proven.n
         WHERE proven.erase_at IS NULL AND (proven.email_verified_at IS NOT NULL OR NOT person.must_verify)
           AND (person.is_known OR {familiar("proven.id")})
    ), {STARTED}, cleared AS (
        {CLEARED} WHERE key = ANY(ARRAY(SELECT counter FROM person))
    ), noted AS (
        {_PASSED}
    ), crowded AS (
        {_CROWDED}
    )
    SELECT proven.*, started.created_at AS started_at, started.idle_expires_at, room.ended
      FROM proven LEFT JOIN person ON person.n = proven.n LEFT JOIN started ON started.session = person.session
                  LEFT JOIN room ON room.session = person.session
    """,
    once="user_id",
)


async def by_email(batcher: Batcher, email_key: str) -> Any:
    """A row (user_id, credential_id, hash), its hash None without a password or where the person is disabled; or None
    where nobody has the address."""
    return await batcher.row(_BY_EMAIL, email_key)


async def claim(ctx: Context, values: Mapping[str, Any]) -> Any:
    """Counts a try before its password is looked at, and finds whose it is: (user_id, credential_id, hash), all None
    where nobody has the address, and (key, level, let_through) of the counter that counted, the device's if `is_known`.

    A disabled person's hash is None too: who has their password is told nothing, not even by the time it takes.
    """
    return await ctx.batcher.row(_CLAIM, *_CLAIM.arguments(values))


async def claim_own(ctx: Context, values: Mapping[str, Any]) -> Any:
    """The same for somebody who is signed in."""
    return await ctx.driver.row(_CLAIM_OWN.sql, *_CLAIM_OWN.arguments(values))


async def sign_in(batcher: Batcher, values: Mapping[str, Any]) -> Any:
    """All of a sign-in at once: the person with (started_at, idle_expires_at, ended).

    None where they are disabled or have another password by now. `started_at` is None where nothing was done because
    it takes more: a word to the owner about a new device, an address to be verified, a person who was leaving.

    By the driver and shared: one statement instead of seven and a transaction's two (docs/PERFORMANCE.md).
    """
    return await batcher.row(_PASS, *_PASS.arguments(values))


async def still(tx: AsyncSession, user_id: UUID, hash: str) -> User | None:
    """The person, locked, if they are not disabled and this is still the hash of their password.

    The password is locked too, so that a change in flight is waited for and seen.
    """
    statement = (
        select(User)
        .join(Credential, (Credential.user_id == User.id) & (Credential.method == METHOD))
        .join(Password, Password.credential_id == Credential.id)
        .where(User.id == user_id, User.disabled_at.is_(None), Password.hash == hash)
        .with_for_update(of=[User, Password], key_share=True)
    )
    return await tx.scalar(statement)


async def sign_up(batcher: Batcher, values: Mapping[str, Any], *, is_asked: bool) -> Any:
    """All of a sign-up at once: the person with (started_at, idle_expires_at), or None where the address is taken.
    `is_asked`: by mail, to prove the address.

    By the driver and shared: one statement instead of ten and a transaction's two (docs/PERFORMANCE.md).
    """
    statement = _SIGN_UP[is_asked]
    return await batcher.row(statement, *statement.arguments(values))


async def register(tx: AsyncSession, values: Mapping[str, Any]) -> bool:
    """The same without a session, for who must prove the address before. False where it is taken."""
    return await tx.scalar(_REGISTER, values) is not None


async def give(tx: AsyncSession, values: Mapping[str, Any]) -> None:
    """A password for somebody who has none."""
    await tx.execute(_GIVE, values)


async def rehash(tx: AsyncSession, credential_id: UUID, *, old: str, new: str) -> None:
    """Only while the old one still stands: a change of password in between wins."""
    await tx.execute(
        update(Password).where(Password.credential_id == credential_id, Password.hash == old).values(hash=new)
    )


async def change(ctx: Context, tx: AsyncSession, user_id: UUID, hash: str) -> bool:
    """False for a person without a password."""
    mine = select(Credential.id).where(Credential.user_id == user_id, Credential.method == METHOD).scalar_subquery()
    statement = update(Password).where(Password.credential_id == mine).values(hash=hash, set_at=db.now(ctx.clock))
    return await tx.scalar(statement.returning(Password.credential_id)) is not None
