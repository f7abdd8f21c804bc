"""Plain pages for the links in mail, for as long as there is no front end that has its own (`AUTHAPI_LINK_URL`).

Scanners follow links, so to open one changes nothing: the page takes the token out of the fragment, and sends it when
somebody presses the button.
"""

from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from authapi.core.problems import NotFound

router = APIRouter(include_in_schema=False)

CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {"pages.js": "text/javascript", "pages.css": "text/css"}


class Page(NamedTuple):
    """`call` is what the button calls; `done` is said after it."""

    title: str
    text: str
    button: str
    call: str
    done: str
    asks_password: bool = False


PAGES = {
    "/verify": Page(
        "Confirm your e-mail address",
        "Press the button to confirm that this address is yours.",
        "Confirm address",
        "/api/v1/auth/email/verify",
        "Your address is confirmed. You may close this page.",
    ),
    "/reset": Page(
        "Choose a new password",
        "You will be signed out on all devices.",
        "Set password",
        "/api/v1/auth/password/reset",
        "Your password is set. Sign in with it.",
        asks_password=True,
    ),
    "/confirm-address": Page(
        "Confirm your new e-mail address",
        "Press the button to make this the address of your account.",
        "Confirm address",
        "/api/v1/auth/email/change/confirm",
        "This is the address of your account now. You may close this page.",
    ),
    "/stop-address-change": Page(
        "Stop the change of your e-mail address",
        "Press the button to keep the address that your account has had.",
        "Stop the change",
        "/api/v1/auth/email/change/stop",
        "The change is stopped. Choose a new password now, where you sign in.",
    ),
}
FIELD = """<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required>
"""
HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{page.title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/pages/pages.css">
</head>
<body>
<main>
<h1>{page.title}</h1>
<form data-call="{page.call}" data-done="{page.done}">
<p>{page.text}</p>
{password}<button disabled>{page.button}</button>
</form>
<p id="said" role="status"></p>
<noscript><p>This page needs JavaScript.</p></noscript>
</main>
<script src="/pages/pages.js"></script>
</body>
</html>
"""


def _serve(path: str, page: Page) -> None:
    answer = HTML.format(page=page, password=FIELD if page.asks_password else "")

    @router.get(path, name=page.title)
    async def show() -> HTMLResponse:
        return HTMLResponse(answer, headers={"Content-Security-Policy": CONTENT})


for _path, _page in PAGES.items():
    _serve(_path, _page)


@router.get("/pages/{name}")
async def asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound()
    return Response(files("authapi.pages").joinpath(name).read_bytes(), media_type=ASSETS[name])
