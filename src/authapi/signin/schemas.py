"""The answer to every sign-in, whatever the method."""

from typing import Literal

from pydantic import Field

from authapi.core.devices import in_words
from authapi.sessions.schemas import SessionOut, TokensOut, tokens_out
from authapi.signin.service import SignedIn
from authapi.users.schemas import UserOut, user_out

DEVICE_TOKEN = "dt_AQd1…"  # noqa: S105 (an example)


class SignedInOut(TokensOut):
    status: Literal["signed_in"] = "signed_in"
    user: UserOut
    session: SessionOut
    device_token: str | None = Field(
        description="Send it with the next login on this device, and keep it when the person logs out: it proves that "
        "they have signed in here before, so that strangers who fail for the account do not hold them up. Each sign-in "
        "gives a new one, and another password voids all. It is no credential. In cookie mode it is null: it comes as "
        "a cookie.",
        examples=[DEVICE_TOKEN],
    )


def signed_in_out(outcome: SignedIn) -> SignedInOut:
    tokens = outcome.started.tokens
    session = SessionOut(
        id=tokens.session_id,
        created_at=tokens.now,
        last_used_at=tokens.now,
        expires_at=tokens.refresh_expires_at,
        ip=outcome.client.ip,
        device=in_words(outcome.client.user_agent),
        user_agent=outcome.client.user_agent,
        label=None,
        is_current=True,
    )
    return SignedInOut.model_validate(
        {
            **tokens_out(tokens),
            "user": user_out(outcome.user),
            "session": session,
            "device_token": outcome.device_token,
        }
    )
