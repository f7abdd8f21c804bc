"""User agents in words that people know their devices by."""

from functools import lru_cache

UNKNOWN = "Unknown device"
APP = "App"

PROGRAMS = (
    ("curl/", "curl"),
    ("wget/", "Wget"),
    ("httpie/", "HTTPie"),
    ("postmanruntime/", "Postman"),
    ("insomnia/", "Insomnia"),
    ("bruno", "Bruno"),
    ("python-httpx/", "Python (httpx)"),
    ("python-requests/", "Python (requests)"),
    ("python-urllib/", "Python (urllib)"),
    ("aiohttp/", "Python (aiohttp)"),
    ("axios/", "Node.js (axios)"),
    ("node-fetch/", "Node.js (node-fetch)"),
    ("undici", "Node.js"),
    ("node", "Node.js"),
    ("deno/", "Deno"),
    ("bun/", "Bun"),
    ("go-http-client/", "Go"),
    ("okhttp/", "OkHttp"),
    ("dart/", "Dart"),
    ("java", "Java"),
    ("apache-httpclient/", "Java"),
    ("ruby", "Ruby"),
    ("guzzlehttp/", "PHP (Guzzle)"),
)
"""How the agents of programs begin. aiohttp alone names itself second; see `_program`."""

BROWSERS = (
    ("; wv)", APP),
    ("edg/", "Edge"),
    ("edga/", "Edge"),
    ("edgios/", "Edge"),
    ("opr/", "Opera"),
    ("opt/", "Opera"),
    ("opera", "Opera"),
    ("samsungbrowser/", "Samsung Internet"),
    ("vivaldi/", "Vivaldi"),
    ("yabrowser/", "Yandex Browser"),
    ("ucbrowser/", "UC Browser"),
    ("duckduckgo/", "DuckDuckGo"),
    ("ddg/", "DuckDuckGo"),
    ("electron/", APP),
    ("fxios/", "Firefox"),
    ("focus/", "Firefox"),
    ("firefox/", "Firefox"),
    ("crios/", "Chrome"),
    ("headlesschrome/", "Chrome"),
    ("chrome/", "Chrome"),
    ("chromium/", "Chrome"),
    ("msie ", "Internet Explorer"),
    ("trident/", "Internet Explorer"),
    ("safari/", "Safari"),
)
"""In this order: nearly every browser also names those that it wants to be taken for."""

SYSTEMS = (
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("ipod", "iPod"),
    ("xbox", "Xbox"),
    ("playstation", "PlayStation"),
    ("windows", "Windows"),
    ("cros ", "ChromeOS"),
    ("android", "Android"),
    ("macintosh", "Mac"),
    ("mac os x", "Mac"),
    ("cfnetwork/", "an Apple device"),
    ("tizen", "Tizen"),
    ("linux", "Linux"),
    ("freebsd", "FreeBSD"),
    ("openbsd", "OpenBSD"),
    ("x11", "Unix"),
)
"""In this order: Android and Tizen say that they are Linux, an iPhone that it is like Mac OS X."""


@lru_cache(maxsize=1024)
def in_words(user_agent: str) -> str:
    """Such as "Firefox on Linux", "curl", "App on Android". Made of the words above alone: nothing that a client says
    of itself is repeated to people."""
    text = user_agent.lower().strip()
    program = _program(text)
    if program is not None:
        return program
    browser = next((name for part, name in BROWSERS if part in text), None)
    system = next((name for part, name in SYSTEMS if part in text), None)
    if system is None:
        return browser if browser not in (None, APP) else UNKNOWN
    return f"{browser or APP} on {system}"


def _program(text: str) -> str | None:
    if text.startswith("python/") and "aiohttp/" in text:
        return "Python (aiohttp)"
    return next((name for beginning, name in PROGRAMS if text.startswith(beginning)), None)
