"""The languages that messages are written in, and which of them somebody gets."""

from functools import cache, lru_cache
from pathlib import Path

from authapi.core.settings import Settings

BUILT_IN = Path(__file__).parent / "templates"
FALLBACK = "en"
LONGEST = 200
"""Characters of an `Accept-Language` that are looked at."""


@cache
def spoken(folder: str | None) -> frozenset[str]:
    """The built-in ones, and those that the operator's folder adds."""
    folders = [BUILT_IN, *([Path(folder)] if folder else [])]
    return frozenset(path.name for each in folders if each.is_dir() for path in each.iterdir() if path.is_dir())


def choose(settings: Settings, wanted: str | None) -> str:
    """The best for a BCP 47 tag or an `Accept-Language` (RFC 9110 §12.5.4): `de-AT` gets `de`, `fr` English."""
    return _chosen(settings.mail_templates, (wanted or "")[:LONGEST])


@lru_cache(1024)
def _chosen(folder: str | None, wanted: str) -> str:
    """Browsers send the same few."""
    languages = {language.lower(): language for language in spoken(folder)}
    for tag in _by_preference(wanted):
        parts = tag.split("-")
        for length in range(len(parts), 0, -1):
            if found := languages.get("-".join(parts[:length])):
                return found
    return FALLBACK


def _by_preference(wanted: str) -> list[str]:
    weighted = [(_weight(part), part.partition(";")[0].strip().lower()) for part in wanted.split(",")]
    return [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]


def _weight(part: str) -> float:
    _, _, parameter = part.replace(" ", "").partition(";q=")
    try:
        return float(parameter or 1)
    except ValueError:
        return 0
