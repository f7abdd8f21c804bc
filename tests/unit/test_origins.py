"""Whose pages may call: origins as browsers write them, or a start that says why not."""

import pytest

from authapi.core.settings import Misconfigured, Settings, load

GOOD = [
    *("https://app.example.com", "http://localhost:5173", "https://app.example.com:8443", "http://[::1]:3000"),
    *("https://xn--mnchen-3ya.de", "capacitor://localhost", "chrome-extension://abcdefghijklmnop", "http://10.0.0.1"),
]
BAD = [
    *(
        "app.example.com",
        "https://",
        "https://app.example.com/login",
        "https://app.example.com?x",
        "HTTPS://app.example.com",
    ),
    *("https://App.example.com", "https://user@app.example.com", "https://app.example.com:443", "http://localhost:80"),
    *("https://*.example.com", "https://app.example.com:", "https://münchen.de", "null", "https://a.example b.example"),
]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"ENV": "development", "DATABASE_URL": "postgresql://h/n", "REDIS_URL": "redis://h"}.items():
        monkeypatch.setenv(f"AUTHAPI_{name}", value)
    monkeypatch.setenv("AUTHAPI_SECRET", "0123456789" * 4)
    return monkeypatch


@pytest.mark.parametrize("origin", GOOD)
def test_an_origin_is_taken_as_it_is(given: pytest.MonkeyPatch, origin: str) -> None:
    given.setenv("AUTHAPI_ALLOWED_ORIGINS", f" {origin} ,https://other.example/")
    assert load().allowed_origins == (origin, "https://other.example")


@pytest.mark.parametrize("origin", BAD)
def test_what_no_browser_would_send_stops_the_start(given: pytest.MonkeyPatch, origin: str) -> None:
    given.setenv("AUTHAPI_ALLOWED_ORIGINS", f"https://other.example,{origin}")
    with pytest.raises(Misconfigured, match="AUTHAPI_ALLOWED_ORIGINS: must be origins as browsers send them"):
        load()


def test_every_origin_at_once_stops_the_start(given: pytest.MonkeyPatch) -> None:
    given.setenv("AUTHAPI_ALLOWED_ORIGINS", "*")
    with pytest.raises(Misconfigured, match="must name each origin"):
        load()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://auth.example.com", "https://auth.example.com"),
        ("https://example.com/auth", "https://example.com"),
        ("https://Auth.Example.com:443/", "https://auth.example.com"),
        ("https://auth.example.com:8443", "https://auth.example.com:8443"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_pages_of_the_service_itself_are_of_its_public_origin(settings: Settings, url: str, origin: str) -> None:
    changed = settings.model_copy(update={"public_url": url, "allowed_origins": ("https://app.example.com",)})
    assert changed.page_origins == (origin, "https://app.example.com")
