"""What bodies say of a person."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticKnownError

from authapi.core.http import Body
from authapi.users.models import User
from authapi.users.rules import (
    LONGEST_ADDRESS,
    LONGEST_LOCALE,
    LONGEST_NAME,
    LONGEST_URL,
    Address,
    display_name,
    locale,
    parse_address,
    picture_url,
    time_zone,
)


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

Locale: TypeAlias = Annotated[
    str,
    AfterValidator(locale),
    WithJsonSchema({"type": "string", "minLength": 2, "maxLength": LONGEST_LOCALE, "examples": ["en-GB"]}),
]

TimeZone: TypeAlias = Annotated[
    str, AfterValidator(time_zone), WithJsonSchema({"type": "string", "examples": ["Europe/London"]})
]

PictureUrl: TypeAlias = Annotated[
    str,
    AfterValidator(picture_url),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "maxLength": LONGEST_URL,
            "examples": ["https://pictures.example.com/ada.png"],
        }
    ),
]


class ProfileIn(Body):
    """What is absent stays as it is; null clears."""

    first_name: PersonName | None = None
    last_name: PersonName | None = None
    locale: Locale | None = Field(None, description="The language for mails, a BCP 47 tag; kept in canonical form.")
    time_zone: TimeZone | None = Field(None, description="A name of the IANA time zone database.")
    picture_url: PictureUrl | None = Field(None, description="https only. It is kept, and never fetched from here.")


class UserOut(BaseModel):
    id: UUID
    email: str = Field(examples=["ada@example.com"])
    email_verified: bool
    first_name: str | None = Field(examples=["Ada"])
    last_name: str | None = Field(examples=["Lovelace"])
    locale: str | None = Field(description="A BCP 47 tag.", examples=["en-GB"])
    time_zone: str | None = Field(description="A name of the IANA time zone database.", examples=["Europe/London"])
    picture_url: str | None = Field(examples=["https://pictures.example.com/ada.png"])
    created_at: datetime


class LeavingOut(BaseModel):
    status: Literal["leaving"] = "leaving"
    erase_at: datetime = Field(description="Signing in before that restores the account.")


Row: TypeAlias = dict[str, Any]


class ExportOut(BaseModel):
    """Rows as they are kept, the newest first. There may be more columns in later versions."""

    exported_at: datetime
    is_complete: bool = Field(description="False where a list was too long: then the oldest rows are missing.")
    profile: Row = Field(examples=[{"email": "ada@example.com", "first_name": "Ada", "locale": "en-GB"}])
    credentials: list[Row] = Field(description="Ways to sign in, without secrets.", examples=[[{"method": "password"}]])
    sessions: list[Row] = Field(description="Live and ended ones.", examples=[[{"ip": "203.0.113.7", "label": None}]])
    messages: list[Row] = Field(description="Mails, without their text.", examples=[[{"kind": "verify_address"}]])
    one_time_secrets: list[Row] = Field(
        description="Links and codes that were sent: what for, not what.", examples=[[{"purpose": "verify_address"}]]
    )
    events: list[Row] = Field(description="What is on record.", examples=[[{"name": "user.signed_up"}]])


def user_out(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified_at is not None,
        first_name=user.first_name,
        last_name=user.last_name,
        locale=user.locale,
        time_zone=user.time_zone,
        picture_url=user.picture_url,
        created_at=user.created_at,
    )
