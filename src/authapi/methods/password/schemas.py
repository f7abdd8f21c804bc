"""Bodies of sign-up and login."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from authapi.core.http import Body
from authapi.signin.schemas import DEVICE_TOKEN
from authapi.users.schemas import EmailAddress, PersonName

LONGEST_TEXT = 4096
"""Characters that are looked at; the limit of a password itself is 1024 bytes."""

REMEMBER = Field(True, description="False gives the session the shorter lifetime, for a device that is not one's own.")


class SignUpIn(Body):
    email: EmailAddress
    password: str = Field(max_length=LONGEST_TEXT, examples=["correct horse battery staple"])
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    remember_me: bool = REMEMBER


class VerificationRequiredOut(BaseModel):
    status: Literal["verification_required"] = Field(
        "verification_required", description="Open the mail, prove the address, then log in."
    )


class ForgotIn(Body):
    email: EmailAddress


class ResetIn(Body):
    token: str = Field(max_length=128, description="From the link.", examples=["ot_J5c1kq…"])
    password: str = Field(max_length=LONGEST_TEXT, examples=["staple battery horse correct"])


class ChangeIn(Body):
    current_password: str = Field(max_length=LONGEST_TEXT, examples=["correct horse battery staple"])
    password: str = Field(max_length=LONGEST_TEXT, examples=["staple battery horse correct"])


class LogInIn(Body):
    email: EmailAddress
    password: str = Field(max_length=LONGEST_TEXT, examples=["correct horse battery staple"])
    remember_me: bool = REMEMBER
    device_token: str | None = Field(
        None,
        max_length=512,
        description="What the person's last sign-in on this device gave. One that is no good is ignored.",
        examples=[DEVICE_TOKEN],
    )


class ConfirmIn(Body):
    password: str = Field(max_length=LONGEST_TEXT, examples=["correct horse battery staple"])


class AccessTokenOut(BaseModel):
    """An access token of the session that asks; its refresh token stays as it is."""

    access_token: str = Field(examples=["eyJhbGciOiJFUzI1NiIs…"])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (a kind, not a token)
    expires_in: int = Field(description="Seconds the access token is valid.", examples=[900])
    server_time: datetime
