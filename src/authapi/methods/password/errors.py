"""Why a password, or who claims to have it, is refused."""

from typing import Any, ClassVar

from authapi.core.problems import Problem

WAITING = (
    "After several failures even the right password is refused for a while, up to 15 minutes; "
    "a device that signed in before is not held up by others, and resetting the password helps."
)
"""Told to everybody alike, so that it says nothing about this account."""


class InvalidCredentials(Problem):
    code = "invalid_credentials"
    status = 401
    title = "The e-mail address or the password is wrong."
    action = "fix_request"

    def __init__(self, detail: str | None = WAITING, **extra: Any) -> None:
        super().__init__(detail, **extra)


class WeakPassword(Problem):
    """`reason` is one of `too_short`, `too_long`, `common`, `personal`, `guessable`."""

    code = "weak_password"
    status = 422
    title = "This password is not safe enough; `detail` says why."
    action = "fix_request"
    example: ClassVar = {
        "detail": "This password is on lists of common ones.",
        "reason": "common",
        "errors": [{"pointer": "/password", "message": "This password is on lists of common ones."}],
    }


class EmailTaken(Problem):
    code = "email_taken"
    status = 409
    title = "There is already an account for this e-mail address. Log in instead."
    action = "fix_request"
