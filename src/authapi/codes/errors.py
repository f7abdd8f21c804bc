"""Why a one-time secret is refused."""

from authapi.core.problems import Problem


class InvalidCode(Problem):
    """Wrong, used before, expired, void and tried too often are one answer: it tells a guesser nothing."""

    code = "invalid_code"
    status = 422
    title = "This link or code is not valid, or no longer. Ask for a new one."
    action = "fix_request"
