"""The answer to every sign-in, whatever the method."""

from typing import Literal

from authapi.sessions.schemas import SessionOut, TokensOut, tokens_out
from authapi.signin.service import SignedIn
from authapi.users.schemas import UserOut, user_out


class SignedInOut(TokensOut):
    status: Literal["signed_in"] = "signed_in"
    user: UserOut
    session: SessionOut


def signed_in_out(outcome: SignedIn) -> SignedInOut:
    tokens = outcome.started.tokens
    session = SessionOut(
        id=tokens.session_id,
        created_at=tokens.now,
        last_used_at=tokens.now,
        expires_at=tokens.refresh_expires_at,
        ip=outcome.client.ip,
        user_agent=outcome.client.user_agent,
        label=None,
        is_current=True,
    )
    return SignedInOut.model_validate({**tokens_out(tokens), "user": user_out(outcome.user), "session": session})
