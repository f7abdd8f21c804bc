"""The pages that links in mail lead to, as people use them: nothing happens before the button is pressed."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from authapi.core.context import Context
from tests.browser.chromium import Tab, browsing, needs_chromium, service
from tests.support.inbox import Inbox
from tests.support.people import ADA, PREFIX, Person

pytestmark = needs_chromium

READY = "document.querySelector('form button')?.disabled === false"
NEW = "unlike any other phrase"


@pytest.fixture
def url(ctx: Context, tmp_path: Path) -> Iterator[str]:
    with service(ctx.settings, tmp_path / "service.log") as url:
        yield url


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with browsing(tmp_path / "profile") as tab:
        yield tab


def press(tab: Tab) -> None:
    tab.run("document.querySelector('form button').click()")


def says(tab: Tab, text: str) -> None:
    tab.until(f"document.getElementById('said')?.textContent.includes({json.dumps(text)})")


async def is_verified(ada: Person) -> bool:
    return bool((await ada.get("/session")).json()["user"]["email_verified"])


async def test_an_address_is_confirmed_by_the_button_and_not_by_the_link(
    ada: Person, inbox: Inbox, tab: Tab, url: str
) -> None:
    token = (await inbox.last(ADA["email"])).token
    tab.go(f"{url}/verify#token={token}")
    tab.until(READY)
    assert tab.run("location.href") == f"{url}/verify"  # nothing for the history, or for who looks over a shoulder
    assert not await is_verified(ada)
    press(tab)
    says(tab, "Your address is confirmed.")
    assert await is_verified(ada)


async def test_a_password_is_set(ada: Person, inbox: Inbox, tab: Tab, url: str) -> None:
    async with httpx.AsyncClient(base_url=f"{url}{PREFIX}") as api:
        await api.post("/password/forgot", json={"email": ADA["email"]})
        tab.go(f"{url}/reset#token={(await inbox.last(ADA['email'])).token}")
        tab.until(READY)
        tab.run("document.getElementById('password').value = 'password1'")
        press(tab)
        says(tab, "password")
        tab.until(READY)
        tab.run(f"document.getElementById('password').value = {json.dumps(NEW)}")
        press(tab)
        says(tab, "Your password is set.")
        assert (await api.post("/login", json={**ADA, "password": NEW})).status_code == 200
        assert (await api.post("/login", json=ADA)).status_code == 401
    assert (await ada.get("/session")).status_code == 401


async def test_a_link_that_is_no_good_says_so(tab: Tab, url: str) -> None:
    tab.go(f"{url}/verify")
    says(tab, "The link is not complete.")
    assert tab.run("document.querySelector('form button').disabled")
    tab.go(f"{url}/confirm-address#token=cc_nobody")
    tab.until(READY)
    press(tab)
    tab.until(READY)
    assert tab.run("document.getElementById('said').textContent") != ""
    assert not tab.run("document.querySelector('form').hidden")


async def test_what_cannot_be_reached_can_be_tried_again(tab: Tab, ctx: Context, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(service(ctx.settings, tmp_path / "gone.log"))
        tab.go(f"{url}/verify#token=ev_nobody")
        tab.until(READY)
    press(tab)
    says(tab, "The service cannot be reached.")
    tab.until(READY)
