"""Bodies about tokens and sessions; shared with sign-in."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from authapi.core.devices import in_words
from authapi.core.http import Body
from authapi.sessions.models import Session
from authapi.sessions.rules import LONGEST_LABEL, device_label
from authapi.sessions.service import Refreshed, Tokens
from authapi.users.schemas import UserOut

REFRESH_TOKEN = "rt_AQd1…"  # noqa: S105 (an example)


class RefreshIn(Body):
    refresh_token: str | None = Field(
        None,
        max_length=512,
        description="The newest refresh token you have stored. Left out where it is in a cookie.",
        examples=[REFRESH_TOKEN],
    )


class LogoutIn(Body):
    refresh_token: str | None = Field(
        None, max_length=512, description="Or send an access token, or the cookie.", examples=[REFRESH_TOKEN]
    )
    scope: Literal["this", "others", "all"] = Field("this", description="Which of the person's sessions end.")


DeviceLabel: TypeAlias = Annotated[
    str,
    AfterValidator(device_label),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LONGEST_LABEL, "examples": ["Kitchen tablet"]}),
]


class RenameIn(Body):
    label: DeviceLabel | None = Field(description="What the person calls the device; null takes the name away.")


class TokensOut(BaseModel):
    """Names as in RFC 6749 §5.1. Count from the moment the answer arrives; never compare clocks."""

    access_token: str = Field(examples=["eyJhbGciOiJFUzI1NiIs…"])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (a kind, not a token)
    expires_in: int = Field(description="Seconds the access token is valid.", examples=[900])
    refresh_in: int = Field(
        description="Seconds after which to refresh: before it expires, and spread by chance.", examples=[640]
    )
    refresh_token: str | None = Field(
        description="Opaque. Store it before you use it. In cookie mode it is null: it comes as a cookie.",
        examples=[REFRESH_TOKEN],
    )
    csrf_token: str | None = Field(
        None,
        description="Only in cookie mode: goes as `X-CSRF-Token` with the calls that use the cookie. The same for "
        "the whole session, and no secret from the page's own scripts.",
        examples=["q1xTqyAfMb2nZ0R5dGkVr1yLpWc8uHsJ3oEaXtN7wDU"],
    )
    refresh_expires_at: datetime = Field(description="When the session expires if it is not refreshed before.")
    session_id: UUID
    server_time: datetime


class RefreshedOut(TokensOut):
    rotation: Literal["rotated", "replayed", "displaced"] = Field(
        description="`rotated`: as usual. `replayed`: you asked again, here is the same successor. `displaced`: the "
        "successor was never used and is replaced by this one."
    )


class SessionOut(BaseModel):
    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime = Field(description="When it ends if it is not refreshed before.")
    ip: str = Field(description="Where it was last refreshed from.", examples=["203.0.113.7"])
    device: str = Field(description="The user agent in words.", examples=["Firefox on Linux"])
    user_agent: str = Field(examples=["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"])
    label: str | None = Field(description="The name the person gave the device.", examples=["Kitchen tablet"])
    is_current: bool = Field(description="Whether this is the session that asks.")


class SessionsOut(BaseModel):
    sessions: list[SessionOut] = Field(description="The latest used first.")


class CsrfOut(BaseModel):
    csrf_token: str = Field(
        description="Goes as `X-CSRF-Token` with the calls that use the cookie.",
        examples=["q1xTqyAfMb2nZ0R5dGkVr1yLpWc8uHsJ3oEaXtN7wDU"],
    )


class CurrentOut(BaseModel):
    user: UserOut
    session: SessionOut
    methods: list[str] = Field(description="What the person can sign in with.", examples=[["password"]])


def tokens_out(tokens: Tokens) -> dict[str, object]:
    """The members of TokensOut."""
    return {
        "access_token": tokens.access_token,
        "expires_in": tokens.expires_in,
        "refresh_in": tokens.refresh_in,
        "refresh_token": tokens.refresh_token,
        "refresh_expires_at": tokens.refresh_expires_at,
        "session_id": tokens.session_id,
        "server_time": tokens.now,
    }


def refreshed_out(refreshed: Refreshed) -> RefreshedOut:
    return RefreshedOut.model_validate({**tokens_out(refreshed.tokens), "rotation": refreshed.rotation})


def current_out(row: Any) -> CurrentOut:
    """From a row of `store.view`."""
    return CurrentOut(
        user=UserOut(
            id=row.user_id,
            email=row.email,
            email_verified=row.email_verified,
            first_name=row.first_name,
            last_name=row.last_name,
            locale=row.locale,
            time_zone=row.time_zone,
            picture_url=row.picture_url,
            created_at=row.user_created_at,
        ),
        session=SessionOut(
            id=row.id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            ip=row.ip,
            device=in_words(row.user_agent),
            user_agent=row.user_agent,
            label=row.label,
            is_current=True,
        ),
        methods=row.methods,
    )


def session_out(session: Session, current: UUID) -> SessionOut:
    return SessionOut(
        id=session.id,
        created_at=session.created_at,
        last_used_at=max(session.rotated_at, session.replayed_at or session.rotated_at),
        expires_at=session.idle_expires_at,
        ip=session.ip,
        device=in_words(session.user_agent),
        user_agent=session.user_agent,
        label=session.label,
        is_current=session.id == current,
    )
