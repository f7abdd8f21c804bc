"""What the settings alone tell."""

import math
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from zxcvbn_rs_py import zxcvbn

from authapi.core.settings import DAY, Misconfigured, Network, Settings
from authapi.doctor.findings import Finding, error, ok, warning

FEWEST_DISTINCT = 8
LEAST_GUESSES = 1e19
"""The most that zxcvbn tells apart, about 64 bits. Whatever is random and long enough reaches it."""

EXAMPLES = re.compile(
    "change.?(me|this)|replace.?(me|this)|your.?(super.?)?secret|my.?secret|super.?secret|secret.?key|password|example|"
    "insecure|placeholder|0123456789|abcdefgh|qwerty|correct.?horse|lorem.?ipsum",
    re.IGNORECASE,
)
WORD = r"(?:[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+)"
WORDS = re.compile(rf"{WORD}(?:[-_., ]+{WORD})+")
"""Words keep to one case; what is random does not, although base64url has separators in it, too."""

ANOTHER = (
    "Make one with `openssl rand -base64 48`, set it as AUTHAPI_SECRET on every instance, and keep the old one in "
    "AUTHAPI_EARLIER_SECRETS until no token under it is left."
)


def faults(misconfigured: Misconfigured) -> list[Finding]:
    """One for each line."""
    fix = "Correct it in the environment of every instance: without that nothing starts."
    return [error("settings", line, fix) for line in str(misconfigured).splitlines()]


def judge(settings: Settings, *, metrics_folder: str | None) -> list[Finding]:
    return [
        ok("settings", f"Complete, for {settings.env}."),
        *_secrets(settings),
        *_addresses(settings),
        *_networks(settings),
        *_looseness(settings),
        *_metrics(metrics_folder),
    ]


def weakness(secret: SecretStr) -> str | None:
    """What makes a root secret guessable, or None. Its length is not looked at: the settings demand it."""
    text = secret.get_secret_value()
    if EXAMPLES.search(text):
        return "it contains what examples contain"
    if len(set(text)) < FEWEST_DISTINCT:
        return f"it has only {len(set(text))} different characters"
    if zxcvbn(text[:100]).guesses < LEAST_GUESSES:
        return "it follows a pattern"
    return None


def _secrets(settings: Settings) -> Iterator[Finding]:
    weak = weakness(settings.secret)
    if weak is not None:
        yield error("secret", f"AUTHAPI_SECRET can be guessed: {weak}.", ANOTHER)
    elif WORDS.fullmatch(settings.secret.get_secret_value()):
        yield warning("secret", "AUTHAPI_SECRET reads like words, which are easier to guess.", ANOTHER)
    else:
        yield ok("secret", "AUTHAPI_SECRET looks random.")
    if number := len(settings.earlier_secrets):
        days = math.ceil(settings.session_idle_lifetime / DAY)
        yield warning(
            "secret",
            f"AUTHAPI_EARLIER_SECRETS holds {number}: whoever knows one passes as any known device.",
            f"Remove it once AUTHAPI_SESSION_IDLE_LIFETIME ({days} days) has passed since the change: "
            "by then the worker has sealed the signing keys anew.",
        )
    if any(weakness(secret) for secret in settings.earlier_secrets):
        yield error("secret", "One of AUTHAPI_EARLIER_SECRETS can be guessed.", "Remove it now; people sign in again.")


def _addresses(settings: Settings) -> Iterator[Finding]:
    if settings.env == "development":
        yield ok(
            "addresses", f"Clients reach it as {_shown(settings.public_url)}; plain HTTP is allowed in development."
        )
        return
    if _is_local(settings.public_url):
        yield error(
            "addresses",
            f"AUTHAPI_PUBLIC_URL is {_shown(settings.public_url)}, which only this machine can reach.",
            "Set it to the address that clients use, such as https://auth.example.com; tokens name it as their issuer.",
        )
    else:
        yield ok("addresses", f"Clients reach it as {_shown(settings.public_url)}.")
    for origin in settings.allowed_origins:
        if not origin.startswith("https://"):
            yield error(
                "addresses",
                f"AUTHAPI_ALLOWED_ORIGINS has {_shown(origin)}: whoever is on the way can change that page.",
                "Serve the front end over https:// and name it so, or remove it.",
            )


def _networks(settings: Settings) -> Iterator[Finding]:
    if _has_everything(settings.trusted_proxies):
        yield error(
            "proxies",
            "AUTHAPI_TRUSTED_PROXIES trusts every address, so each client can choose its own: no limit holds.",
            "Name only the network of your proxy, such as 10.0.0.0/24.",
        )
    elif settings.env == "production" and not settings.trusted_proxies:
        yield warning(
            "proxies",
            "AUTHAPI_TRUSTED_PROXIES is empty: behind a proxy all clients would share one address and one limit.",
            "Name the network of the proxy that ends TLS, such as 10.0.0.0/24.",
        )
    else:
        yield ok("proxies", f"Believed: {', '.join(str(network) for network in settings.trusted_proxies) or 'none'}.")
    if _has_everything(settings.operator_networks):
        yield error(
            "proxies",
            "AUTHAPI_OPERATOR_NETWORKS has every address: anybody can read the metrics.",
            "Name only the networks that your monitoring asks from.",
        )


def _looseness(settings: Settings) -> Iterator[Finding]:
    if settings.env == "development":
        return
    if settings.shows_docs:
        yield warning(
            "settings",
            "AUTHAPI_DOCS shows the documentation pages in production.",
            "Unset it, unless the public shall read them.",
        )
    if settings.limits_scale != 1:
        yield warning(
            "settings",
            f"AUTHAPI_LIMITS_SCALE multiplies every rate limit by {settings.limits_scale:g}.",
            "Unset it and change single limits with AUTHAPI_LIMITS.",
        )


def _metrics(folder: str | None) -> Iterator[Finding]:
    """prometheus-client's variable; the folder must be there before the service starts."""
    if folder is not None and not Path(folder).is_dir():
        yield error(
            "metrics",
            f"PROMETHEUS_MULTIPROC_DIR is {folder}, which is no folder.",
            "Unset it, and `authapi serve` makes one of its own; or create an empty one for each start.",
        )


def _has_everything(networks: tuple[Network, ...]) -> bool:
    return any(network.prefixlen == 0 for network in networks)


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(url: str) -> str:
    """Without a user and password that somebody may have put in."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
