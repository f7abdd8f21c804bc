"""What people read: every message in every language, and what an operator makes of it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import TemplateError

from authapi.core.settings import Settings
from authapi.outbox import contents, languages, rules, texts
from authapi.outbox.messages import (
    AddressChanged,
    AddressChanging,
    AddressTaken,
    ConfirmAddress,
    Leaving,
    Message,
    NewDevice,
    PasswordChanged,
    ResetPassword,
    Restored,
    TokenReused,
    VerifyAddress,
)

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEVICE, IP, NEW, TOKEN, CODE = "Firefox on Linux", "203.0.113.9", "new@example.com", "the-token", "471108"
MESSAGES: tuple[Message, ...] = (
    VerifyAddress(TOKEN, CODE, 1440, DEVICE, IP),
    AddressTaken(DEVICE, IP),
    ResetPassword(TOKEN, 30, DEVICE, IP),
    PasswordChanged(DEVICE, IP, AT),
    ConfirmAddress(TOKEN, CODE, 60),
    AddressChanging(NEW, TOKEN, DEVICE, IP),
    AddressChanged(NEW, AT),
    NewDevice(DEVICE, IP, AT),
    TokenReused(DEVICE, IP, AT),
    Leaving(AT),
    Restored(AT),
)
LANGUAGES = ("en", "de", "es")

Make = Callable[..., Settings]


@pytest.fixture
def make() -> Make:
    def make(**changes: object) -> Settings:
        given = {"env": "development", "database_url": "postgresql://x", "redis_url": "redis://x", "secret": "x" * 32}
        return Settings.model_validate(given | {"mail_from": "Example <hello@example.com>"} | changes)

    return make


def test_every_message_is_written_here() -> None:
    assert {type(message) for message in MESSAGES} == set(contents.KINDS.values())


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("message", MESSAGES, ids=contents.kind)
def test_a_message_says_all_it_has_to_in_text_and_html(make: Make, message: Message, locale: str) -> None:
    written = texts.write(make(), message, locale=locale)
    said = {name: str(getattr(message, name)) for name in ("code", "device", "ip", "new") if hasattr(message, name)}
    for body in (written.text, written.html):
        assert all(value in body for value in said.values())
        assert "Example" in body
        assert (f"#token={TOKEN}" in body) == hasattr(message, "token")
        assert ("2026" in body) == hasattr(message, "at")
    assert 10 < len(written.subject) < 60
    assert f'<html lang="{locale}">' in written.html
    assert re.findall(r'(?:src|href)="([^"]*)"', written.html) == re.findall(r"http\S+", written.text)
    assert "{" not in written.text


@pytest.mark.parametrize("locale", LANGUAGES)
def test_no_language_lacks_a_message(locale: str) -> None:
    written = {path.stem for path in (languages.BUILT_IN / locale).iterdir()}
    assert written == {*contents.KINDS, "lasting"}


@pytest.mark.parametrize("message", MESSAGES, ids=contents.kind)
def test_the_languages_differ(make: Make, message: Message) -> None:
    assert len({texts.write(make(), message, locale=locale).text for locale in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("minutes", "words"), [(30, "30 minutes"), (60, "60 minutes"), (120, "2 hours"), (1440, "24 hours")]
)
def test_how_long_a_link_lasts_is_told(make: Make, minutes: int, words: str) -> None:
    assert words in texts.write(make(), ResetPassword(TOKEN, minutes, DEVICE, IP), locale="en").text


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("es-419,es;q=0.9", "es"),
        ("fr-FR, de;q=0.5, en;q=0.8", "en"),
        ("en;q=0, de;q=0.1", "de"),
        ("fr", "en"),
        ("*", "en"),
        ("DE", "de"),
        ("de;q=much, es", "es"),
        ("../../etc", "en"),
        ("x," * 10_000 + "de", "en"),
    ],
)
def test_a_language_is_chosen(make: Make, wanted: str | None, found: str) -> None:
    assert languages.choose(make(), wanted) == found


def test_an_operator_replaces_a_text_and_adds_a_language(make: Make, tmp_path: Path) -> None:
    for path, text in {
        "de/restored.txt": "Subject: Willkommen zurück\n\nSchön, dass du wieder bei {{ service }} bist.\n",
        "fr/restored.txt": "Subject: Bon retour\n\nVotre compte chez {{ service }} reste.\n",
        "de/leaving.html": "<h1>{{ subject }}</h1><p>{{ service }}</p>",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    settings = make(mail_templates=str(tmp_path), mail_from="Tom & Co <hello@example.com>")
    assert texts.write(settings, Restored(AT), locale="de").text == "Schön, dass du wieder bei Tom & Co bist.\n"
    assert texts.write(settings, Restored(AT), locale="en").subject == "Your account is back"
    assert languages.choose(settings, "fr-CA") == "fr"
    assert texts.write(settings, Restored(AT), locale="fr").subject == "Bon retour"
    assert texts.write(settings, Leaving(AT), locale="fr").subject == "Your account will be deleted"
    assert (
        texts.write(settings, Leaving(AT), locale="de").html == "<h1>Dein Konto wird gelöscht</h1><p>Tom &amp; Co</p>"
    )


@pytest.mark.parametrize(
    "template",
    [
        "Subject: Hello\n\n{{ servise }}",
        "Subject: Hello\n\n{{ service.__class__.__mro__ }}",
        "Subject: Hello\n\n{% for _ in range(10 ** 9) %}x{% endfor %}",
        "Hello, without a subject",
        "Subject: Hello\n\n{% if %}",
    ],
)
def test_a_template_that_is_wrong_or_up_to_something_is_refused(make: Make, tmp_path: Path, template: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "restored.txt").write_text(template)
    with pytest.raises((TemplateError, ValueError, OverflowError)):
        texts.write(make(mail_templates=str(tmp_path)), Restored(AT), locale="en")


def test_links_lead_where_the_settings_say(make: Make) -> None:
    settings = make(link_url="https://app.example.com/account/")
    text = texts.write(settings, ResetPassword(TOKEN, 30, DEVICE, IP), locale="en").text
    assert f"https://app.example.com/account/reset#token={TOKEN}\n" in text


def test_secrets_are_not_shown_when_a_message_is() -> None:
    for message in MESSAGES:
        assert TOKEN not in repr(message)
        assert CODE not in repr(message)


def test_the_waits_grow_to_an_hour() -> None:
    waits = [rules.wait(tries, 0.5).total_seconds() for tries in range(1, 40)]
    assert waits[:4] == [10, 20, 40, 80]
    assert waits == sorted(waits)
    assert waits[-1] == 3600
    assert (rules.wait(1, 0).total_seconds(), rules.wait(1, 1).total_seconds()) == (8, 12)
