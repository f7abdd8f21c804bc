"""User agents in words."""

import string

import pytest

from authapi.core.devices import APP, BROWSERS, PROGRAMS, SYSTEMS, UNKNOWN, in_words

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
        (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{ANDROID} {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{IPHONE} CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0", "Opera on Windows"),
        (f"{ANDROID} {WEBKIT} SamsungBrowser/28.0 Chrome/130 Mobile Safari/537.36", "Samsung Internet on Android"),
        (f"{MAC} Version/18.6 Safari/605.1.15", "Safari on Mac"),
        (f"{IPHONE} Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Safari/604.1",
            "Safari on iPad",
        ),
        (f"{IPHONE} Mobile/15E148", "App on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {WEBKIT} Version/4.0 Chrome/130 Mobile", "App on Android"),
        ("Books/7 CFNetwork/1568.100.1 Darwin/24.0.0", "App on an Apple device"),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28.1", "Python (httpx)"),
        ("Python/3.13 aiohttp/3.12.1", "Python (aiohttp)"),
        ("okhttp/4.12.0", "OkHttp"),
        ("node", "Node.js"),
        ("Firefox/140.0", "Firefox"),
        ("", UNKNOWN),
        ("Electron/30", UNKNOWN),
        ("<script>alert(1)</script>", UNKNOWN),
    ],
)
def test_a_device_is_told_in_the_words_of_people(user_agent: str, words: str) -> None:
    assert in_words(user_agent) == words


def test_capital_letters_make_no_difference() -> None:
    assert in_words("MOZILLA/5.0 (X11; LINUX X86_64) FIREFOX/140.0") == "Firefox on Linux"


def test_nothing_that_a_client_says_of_itself_is_repeated() -> None:
    names = {name for _, name in (*PROGRAMS, *BROWSERS, *SYSTEMS)} | {APP, UNKNOWN, "on", "Python (aiohttp)"}
    for part, _ in (*PROGRAMS, *BROWSERS, *SYSTEMS):
        said = in_words(f"{part} evil.example.com\r\nBcc: \u202e {string.punctuation}")
        assert set(said.replace(" on ", "|").split("|")) <= names
