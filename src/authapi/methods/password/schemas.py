"""Bodies of sign-up and login."""

from pydantic import Field

from authapi.core.http import Body
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


class LogInIn(Body):
    email: EmailAddress
    password: str = Field(max_length=LONGEST_TEXT, examples=["correct horse battery staple"])
    remember_me: bool = REMEMBER
