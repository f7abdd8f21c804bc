"""The plain pages that links in mail lead to."""

import re

import httpx
import pytest

from authapi.outbox.texts import PAGES
from tests.conftest import Start

PATHS = tuple(PAGES.values())
"""Where the links in mail lead."""


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_calls_what_there_is(api: httpx.AsyncClient, path: str) -> None:
    page = await api.get(path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    call = re.findall(r'data-call="([^"]+)"', page.text)
    assert "post" in (await api.get("/openapi.json")).json()["paths"][call[0]]
    refused = await api.post(
        call[0], json={"token": "not-a-token", **({"password": "x" * 20} if path == "/reset" else {})}
    )
    assert refused.status_code in (400, 401, 404, 410, 422)
    assert refused.json()["title"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_runs_and_tells_nothing_but_its_own(api: httpx.AsyncClient, path: str) -> None:
    page = await api.get(path)
    (policy,) = page.headers.get_list("content-security-policy")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "http" not in page.text
    assert not re.search(r"<script(?! src)|<style|style=|\son\w+=", page.text)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert (await api.get(asset)).status_code == 200


async def test_where_a_front_end_has_its_own_there_are_none(start: Start) -> None:
    _, api = await start(link_url="https://app.example.com")
    for path in (*PATHS, "/pages/pages.js"):
        assert (await api.get(path)).status_code == 404
    _, api = await start()
    assert (await api.get("/pages/router.py")).status_code == 404
