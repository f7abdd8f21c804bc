"""How often signing in has failed lately."""

from datetime import datetime

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class SignInFailures(Table):
    """One counter: of an account, a known device or an address; see `signin.failures`.

    `failures` counts every refused try, `level` those that were let through, of which the wait is made; `pending` of
    these are still being hashed. Both shrink to nothing within a day after `last_at`, the last try that was let
    through. `let_through` is what became of the latest try, null where that depends on those that are pending: the
    claim reads there what it has decided. No index but the key, and room on the page: every count is a HOT update.
    """

    __tablename__ = "sign_in_failures"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    key: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    level: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
    pending: Mapped[int] = mapped_column(Integer)
    let_through: Mapped[bool | None]
