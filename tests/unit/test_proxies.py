"""Whose word is taken for the address of a client."""

from typing import Any

import pytest

from authapi.core.proxies import canonical
from tests.support.armour import connect

PROXIED: dict[str, Any] = {"peer": "10.0.0.1", "trusted_proxies": "10.0.0.0/8,fd00::/8"}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ([("x-forwarded-for", "1.2.3.4, 198.51.100.7, 10.0.0.9")], "198.51.100.7"),
        ([("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.7")], "198.51.100.7"),
        ([("x-forwarded-for", "198.51.100.7:4711")], "198.51.100.7"),
        ([("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
        ([("x-forwarded-for", "2001:DB8:0::1, fd00::2")], "2001:db8::1"),
        ([("x-forwarded-for", "::ffff:198.51.100.7")], "198.51.100.7"),
        ([("x-forwarded-for", "1.2.3.4, garbage, 10.0.0.9")], "10.0.0.9"),
        ([("x-forwarded-for", "unknown")], "10.0.0.1"),
        ([("x-forwarded-for", "")], "10.0.0.1"),
        ([("x-forwarded-for", "10.0.0.8, 10.0.0.9")], "10.0.0.8"),
        ([("x_forwarded_for", "198.51.100.7")], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
async def test_the_client_is_the_nearest_hop_that_no_trusted_proxy_holds(
    headers: list[tuple[str, str]], client: str
) -> None:
    answer = await connect(**PROXIED).get("/api/v1/things/1", headers=headers)
    assert answer.json()["client"] == client


async def test_forwarded_headers_of_others_are_ignored() -> None:
    headers = {"x-forwarded-for": "198.51.100.7", "x-forwarded-proto": "https"}
    for api in (connect(), connect(peer="192.0.2.9", trusted_proxies="10.0.0.0/8")):
        answer = (await api.get("/api/v1/things/1", headers=headers)).json()
        assert answer["client"] != "198.51.100.7"
        assert answer["scheme"] == "http"


async def test_the_scheme_is_what_the_nearest_proxy_saw() -> None:
    api = connect(**PROXIED)
    for value, scheme in (("https", "https"), ("http, https", "https"), ("gopher", "http")):
        answer = await api.get("/api/v1/things/1", headers={"x-forwarded-proto": value})
        assert answer.json()["scheme"] == scheme


def test_an_address_has_one_spelling() -> None:
    assert canonical("fe80::1%eth0") == "fe80::1"
    assert canonical("x" * 100) is None
