"""What bodies say of a person."""

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticKnownError

from authapi.users.models import User
from authapi.users.rules import LONGEST_ADDRESS, LONGEST_NAME, Address, display_name, parse_address


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return parse_address(value)


def _display(address: Address) -> str:
    return address.display


EmailAddress: TypeAlias = Annotated[
    Address,
    PlainValidator(_address),
    PlainSerializer(_display, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "email", "maxLength": LONGEST_ADDRESS, "examples": ["ada@example.com"]}
    ),
]

PersonName: TypeAlias = Annotated[
    str,
    AfterValidator(display_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "examples": ["Ada"]}),
]


class UserOut(BaseModel):
    id: UUID
    email: str = Field(examples=["ada@example.com"])
    email_verified: bool
    first_name: str | None = Field(examples=["Ada"])
    last_name: str | None = Field(examples=["Lovelace"])
    created_at: datetime


def user_out(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified_at is not None,
        first_name=user.first_name,
        last_name=user.last_name,
        created_at=user.created_at,
    )
