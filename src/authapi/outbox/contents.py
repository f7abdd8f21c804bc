"""What a message is made of, as the database keeps it: sealed, and bound to its row."""

import re
from typing import Any, get_args
from uuid import UUID

from pydantic import TypeAdapter

from authapi.core.secrets import Vault
from authapi.outbox.messages import Message

PURPOSE = "outbox message"


def _kind_of(cls: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


KINDS: dict[str, type[Any]] = {_kind_of(cls): cls for cls in get_args(Message)}
"""By their names in the database, in templates and in metrics: `verify_address`."""

_NAMES: dict[type[Any], str] = {cls: name for name, cls in KINDS.items()}

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {cls: TypeAdapter(cls) for cls in KINDS.values()}


def kind(message: Message) -> str:
    return _NAMES[type(message)]


def seal(vault: Vault, id: UUID, message: Message) -> bytes:
    return vault.seal(PURPOSE, _ADAPTERS[type(message)].dump_json(message), bound_to=id.bytes)


def unseal(vault: Vault, id: UUID, kind: str, sealed: bytes) -> Message:
    """Raises Unsealable."""
    message: Message = _ADAPTERS[KINDS[kind]].validate_json(vault.unseal(PURPOSE, sealed, bound_to=id.bytes))
    return message
