"""Bodies about addresses."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from authapi.core.http import Body
from authapi.users.schemas import EmailAddress

LONGEST_TOKEN = 128


def _without_blanks(code: str) -> str:
    return "".join(code.split())


Token: TypeAlias = Annotated[
    str, Field(max_length=LONGEST_TOKEN, description="From the link.", examples=["ot_J5c1kq…"])
]
Code: TypeAlias = Annotated[
    str,
    Field(max_length=32, description="The six digits; blanks do not matter.", examples=["493017"]),
    AfterValidator(_without_blanks),
]


class VerifyIn(Body):
    """The token of the link; or the address and the code."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["token"]}, {"required": ["email", "code"]}],
            "examples": [{"token": "ot_J5c1kq…"}, {"email": "ada@example.com", "code": "493017"}],
        }
    )

    token: Token | None = None
    email: EmailAddress | None = None
    code: Code | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.token is None) == (self.code is None) or (self.code is None) != (self.email is None):
            raise ValueError("Send a token, or an address and its code.")
        return self


class VerifiedOut(BaseModel):
    status: Literal["verified"] = "verified"
    email: str = Field(description="The address that is proved now.", examples=["ada@example.com"])


class ResendIn(Body):
    email: EmailAddress | None = Field(None, description="Needed only without an access token.")


class ChangeIn(Body):
    email: EmailAddress


class ConfirmIn(Body):
    """The token of the link; or, with an access token, the code."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["token"]}, {"required": ["code"]}],
            "examples": [{"token": "ot_J5c1kq…"}, {"code": "493017"}],
        }
    )

    token: Token | None = None
    code: Code | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("Send a token, or a code.")
        return self


class ChangedOut(BaseModel):
    status: Literal["changed"] = "changed"
    email: str = Field(description="The address from now on.", examples=["ada@example.org"])


class StopIn(Body):
    token: Token


class StoppedOut(BaseModel):
    status: Literal["stopped", "restored"] = Field(
        description="`stopped`: nothing had changed yet. `restored`: the old address is back, every session has ended, "
        "the password is void, and a link to choose another one is on its way."
    )
    email: str = Field(description="The address from now on.", examples=["ada@example.com"])
