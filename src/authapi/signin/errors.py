"""Why somebody who has proved who they are is not signed in."""

from authapi.core.problems import Problem


class EmailUnverified(Problem):
    code = "email_unverified"
    status = 403
    title = "The e-mail address must be verified first. Follow the link in the mail, or ask for another one."
    action = "verify_email"
