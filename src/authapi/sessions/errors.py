"""Why a session or a token is refused. Only where signing in again is the one way on does `action` say so."""

from datetime import datetime
from typing import Any, ClassVar

from authapi.core.problems import Problem


class TokenMissing(Problem):
    code = "token_missing"
    status = 401
    title = "This call needs an access token: Authorization: Bearer …"
    action = "refresh"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class AccessTokenInvalid(Problem):
    code = "access_token_invalid"
    status = 401
    title = "The access token is not one of ours, or not for this service."
    action = "refresh"
    bearer = "invalid_token"


class AccessTokenExpired(Problem):
    code = "access_token_expired"
    status = 401
    title = "The access token has expired."
    action = "refresh"
    bearer = "invalid_token"


class InvalidToken(Problem):
    code = "invalid_token"
    status = 401
    title = "The refresh token is not valid."
    action = "reauthenticate"


class CookieMissing(Problem):
    code = "cookie_missing"
    status = 401
    title = "The browser sent no cookie of a session."
    action = "reauthenticate"


class CsrfFailed(Problem):
    """`detail` says which of the two proofs is missing. Nothing was changed, and the cookie is as good as before."""

    code = "csrf_failed"
    status = 403
    title = "The call does not come from a page that may use the cookie; `detail` says what is missing."
    action = "fix_request"
    example: ClassVar = {"detail": "X-CSRF-Token must be the csrf_token of this session; GET …/auth/csrf tells it."}


class SessionEnded(Problem):
    """`reason` is one of the reasons a session ends for; `ended_by` tells the device that asked for it, if one did."""

    code = "session_ended"
    status = 401
    title = "The session has ended."
    action = "reauthenticate"
    bearer = "invalid_token"
    example: ClassVar = {
        "reason": "ended_elsewhere",
        "ended_at": "2026-11-20T10:02:00Z",
        "ended_by": {"session_id": "01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11", "user_agent": "Mozilla/5.0 (iPhone …)"},
    }


class SessionExpired(Problem):
    code = "session_expired"
    status = 401
    title = "The session has expired."
    action = "reauthenticate"
    example: ClassVar = {"reason": "idle", "expired_at": "2026-11-20T10:02:00Z"}


class TokenReused(Problem):
    code = "token_reused"
    status = 401
    title = "The refresh token was used before. To be safe, the session has been ended."
    action = "reauthenticate"


class ReloadTokens(Problem):
    code = "reload_tokens"
    status = 409
    title = "Newer tokens were just handed out for this session. Read them from your store and go on with them."
    action = "reload_tokens"
    example: ClassVar = {"retry_after": 1}


class SessionStateLost(Problem):
    code = "session_state_lost"
    status = 401
    title = "The service has lost the newest state of this session. It was not your doing."
    action = "reauthenticate"


class SessionUnknown(Problem):
    code = "session_unknown"
    status = 404
    title = "You have no such session."
    action = "fix_request"


class RecentSignInNeeded(Problem):
    """`within` is how many seconds ago the person may have signed in at most (OWASP ASVS 7.5.1)."""

    code = "recent_sign_in_needed"
    status = 403
    title = "This needs a recent sign-in. Confirm the password, or log in again, then repeat it."
    action = "step_up"
    example: ClassVar = {"within": 300}


def ended_as(reason: str, at: datetime | None) -> dict[str, Any]:
    """The members of SessionEnded."""
    return {"reason": reason, **({"ended_at": when(at)} if at else {})}


def when(moment: datetime) -> str:
    """RFC 3339, in UTC, as every time in a body."""
    return moment.isoformat().replace("+00:00", "Z")
