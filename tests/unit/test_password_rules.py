"""Which passwords are refused, and for which reason."""

import string
import time
import unicodedata
from collections.abc import Sequence
from random import Random

import pytest

from authapi.methods.password import common
from authapi.methods.password.rules import LONGEST, Weakness, is_common, is_personal, weakness

ADA = ("Ada", "Lovelace", "ada.lovelace+news@mail.b\u00fccher.example")


def judge(password: str, *, minimum: int = 8, personal: Sequence[str] = ADA) -> Weakness | None:
    return weakness(password, minimum=minimum, personal=personal, common=common.passwords())


def code(password: str, *, minimum: int = 8, personal: Sequence[str] = ADA) -> str | None:
    found = judge(password, minimum=minimum, personal=personal)
    return found.code if found else None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "kX9#mQ2v",
        "kx9mq2vb",
        "purple monkey dishwasher",
        "lovelace sings in the rain",
        "ada loves lace curtains",
        "Adalbert likes cheese",
        "ada-kX9#mQ2v",
        "\u0434\u0435\u043b\u044c\u0444\u0438\u043d \u0438 \u043a\u043e\u043c\u043f\u0430\u0441",
        "\u68ee\u306e\u4e2d\u306e\u9752\u3044\u9c7c",
        "\U0001f40b\U0001f9ca\U0001f3ba\U0001faa8\U0001f319\U0001f511\U0001f9f6",
        "tab\tand nul\x00 inside",
    ],
)
def test_a_good_password_passes(password: str) -> None:
    assert judge(password) is None


@pytest.mark.parametrize("personal", [(), ("",), ("A", "B"), ("@",), ("-", "...", "@@")])
def test_empty_and_tiny_personal_words_refuse_nothing(personal: tuple[str, ...]) -> None:
    assert judge("kX9#mQ2v", personal=personal) is None


def test_random_passwords_of_eight_characters_pass() -> None:
    random = Random(7)  # noqa: S311
    letters = string.ascii_letters + string.digits + "!#$%&*?"
    refused = sum(judge("".join(random.choices(letters, k=8))) is not None for _ in range(1000))
    assert refused <= 3


@pytest.mark.parametrize(
    ("password", "minimum", "expected"),
    [
        ("", 8, "too_short"),
        ("kX9#mQ2", 8, "too_short"),
        ("kX9#mQ2v", 8, None),
        ("kX9#mQ2vLp4&wZ", 15, "too_short"),
        ("kX9#mQ2vLp4&wZ7", 15, None),
        ("\U0001f40b", 8, "too_short"),
        ("\U0001f40b\U0001f9ca", 8, "guessable"),
        ("\u00e9t\u00e0\u00fcx", 8, "guessable"),
        ("e\u0301ta\u0300qx", 8, "too_short"),
        ("e\u0301ta\u0300u\u0308x", 8, "guessable"),
        ("\u00e9t\u00e0\u00fcx9m", 8, None),
    ],
)
def test_the_least_length_counts_bytes_after_composition(password: str, minimum: int, expected: str | None) -> None:
    assert code(password, minimum=minimum) == expected


@pytest.mark.parametrize(
    ("filler", "length", "expected"),
    [
        ("x", LONGEST, None),
        ("x", LONGEST + 1, "too_long"),
        ("\u00e9", LONGEST // 2, None),
        ("\u00e9", LONGEST // 2 + 1, "too_long"),
        ("e\u0301", LONGEST // 2, None),
        ("\U0001f40b", LONGEST // 4, None),
        ("\U0001f40b", LONGEST // 4 + 1, "too_long"),
        ("x", 65536, "too_long"),
    ],
)
def test_the_greatest_length_counts_bytes_too(filler: str, length: int, expected: str | None) -> None:
    start = "correct horse battery staple"
    padding = len(start) // len(unicodedata.normalize("NFC", filler).encode())
    assert code(start + filler * (length - padding)) == expected


def test_every_entry_of_the_list_is_refused() -> None:
    entries = common.passwords()
    assert len(entries) > 10_000
    assert [entry for entry in entries if not is_common(entry, entries)] == []
    assert [entry for entry in entries if not is_common(entry.upper(), entries)] == []


def test_the_list_is_folded_and_has_nothing_that_is_too_short_anyway() -> None:
    entries = common.passwords()
    assert [entry for entry in entries if entry != entry.casefold() or len(entry.encode()) < 8] == []
    assert not any(entry.startswith("#!") for entry in entries)
    assert common.passwords() is entries


@pytest.mark.parametrize(
    "password",
    ["password", "PASSWORD", "Password1", "Password123!", "12345678", "qwertyui", "iloveyou2024", "!!sunshine!!"],
)
def test_a_common_password_with_a_little_around_it_is_common(password: str) -> None:
    assert code(password) == "common"


@pytest.mark.parametrize("password", ["password8264917305", "mypasswordkettle", "sunshine on a tuesday"])
def test_a_common_password_with_more_around_it_is_another_one(password: str) -> None:
    assert not is_common(password, common.passwords())


PERMUTATIONS = [
    "lovelace",
    "Lovelace",
    "LOVELACE",
    "adalovelace",
    "AdaLovelace",
    "lovelaceada",
    "Ada Lovelace",
    "ada.lovelace",
    "ada_lovelace",
    "Ada-Lovelace!",
    "ada+lovelace",
    "Lovelace1",
    "Lovelace99",
    "Lovelace!!!",
    "Lovelace1815",
    "Lovelace2026!",
    "1815lovelace",
    "!!ada!!lovelace!!",
    "adaadaada",
    "lovelacelovelace",
    "ecalevol",
    "ecalevolada",
    "ecalevoladA1!",
    "adaecalevol",
    "L0v3l4c3",
    "l0vel@ce",
    "4d4l0v3l4c3",
    "@d@L0VEL@CE",
    "3c4l3v0l!",
    "1ove1ace26",
    "LoveIace",
    "ada.lovelace+news",
    "ada.lovelace@mail",
    "ada.lovelace+news@mail.b\u00fccher.example",
    "newsmailada",
    "b\u00fccher26",
    "Bucher2026!",
    "example2026",
    "AdaExample1",
    "Mail.Example.7",
    "lov\u00e9lac\u00e9",
    "\uff2c\uff4f\uff56\uff45\uff4c\uff41\uff43\uff45",
    "authapi1",
    "Authapi2026!",
    "4uth4p1!",
    "ipahtua!",
    "AdaAuthapi9",
]


@pytest.mark.parametrize("password", PERMUTATIONS)
def test_a_password_made_of_the_persons_own_words_is_refused(password: str) -> None:
    assert code(password) == "personal"


@pytest.mark.parametrize(
    ("password", "personal"),
    [
        ("joli2026", ("Jo", "Li")),
        ("lijolijo", ("Jo", "Li")),
        ("\u674e\u5c0f\u9f8d2026", ("\u674e", "\u5c0f\u9f8d")),
        ("Jose-Nunez", ("Jos\u00e9", "N\u00fa\u00f1ez")),
        ("JOS\u00c9N\u00da\u00d1EZ", ("jose", "nunez")),
        ("strasser1", ("Stra\u00dfer",)),
        ("vandenberg", ("Jan", "van den Berg")),
        ("o'brien99", ("Pat", "O\u2019Brien")),
    ],
)
def test_names_of_every_kind_are_known(password: str, personal: tuple[str, ...]) -> None:
    assert is_personal(password, personal)


@pytest.mark.parametrize(
    "password", ["lovelace blue whale", "ada7x9k2m4", "kettle for lovelace", "mailbox on example hill"]
)
def test_four_letters_more_make_a_password_of_ones_own_words_something_else(password: str) -> None:
    assert not is_personal(password, ADA)


@pytest.mark.parametrize(
    "password",
    ["aaaaaaaaaaaa", "abcabcabcabc", "Summer2024", "20241120", "Mississippi", "\U0001f44d" * 4, "a" * 1024],
)
def test_what_is_easily_guessed_is_refused(password: str) -> None:
    assert code(password) == "guessable"


@pytest.mark.parametrize("password", ["short", "password", "Lovelace1815", "Summer2024", "q" * 2000])
def test_the_reason_says_what_to_do_and_never_repeats_the_password(password: str) -> None:
    found = judge(password)
    assert found is not None
    assert "Use " in found.message or "Choose " in found.message or "Add " in found.message
    assert password.casefold() not in found.message.casefold().replace("this password", "")


def test_a_lone_surrogate_is_no_error() -> None:
    assert judge("kX9#\ud800mQ2v") is None


def test_a_password_made_to_be_slow_is_judged_soon() -> None:
    judge("the first call loads the dictionaries")
    lookalikes = "4@8({[<369&#!1/|0$5+7%2" * 40
    for password in (lookalikes, "a" * 1024, "a\u0301\u0327" * 1300):
        start = time.perf_counter()
        judge(password, personal=("a" * 100, "a" * 100, "a" * 64 + "@" + "a" * 63 + ".example"))
        assert time.perf_counter() - start < 0.3
