"""Somebody in a browser, in cookie mode, at a service as in production."""

from collections.abc import AsyncIterator

import httpx
import pytest

from authapi.core.context import Context
from tests.conftest import Start
from tests.support.browsers import IN_PRODUCTION, Page, open_browser


@pytest.fixture
async def production(start: Start) -> Context:
    ctx, _ = await start(**IN_PRODUCTION)
    return ctx


@pytest.fixture
async def browser(production: Context) -> AsyncIterator[httpx.AsyncClient]:
    async with open_browser(production) as browser:
        yield browser


@pytest.fixture
async def page(browser: httpx.AsyncClient) -> Page:
    page = Page(browser)
    await page.enter("signup")
    return page
