"""Addresses and names: what is accepted, and which addresses are one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from authapi.users.rules import LONGEST_ADDRESS, Address, display_name, parse_address
from authapi.users.schemas import EmailAddress, PersonName

SHARP_S, CAPITAL_SHARP_S, DOTTED_I, DOTLESS_I = "\u00df", "\u1e9e", "\u0130", "\u0131"


@pytest.mark.parametrize(
    ("text", "display", "key"),
    [
        ("ada@example.com", "ada@example.com", "ada@example.com"),
        ("Ada@EXAMPLE.com", "Ada@example.com", "ada@example.com"),
        (" \tada@example.com\r\n", "ada@example.com", "ada@example.com"),
        ("\u00a0ada@example.com", "ada@example.com", "ada@example.com"),
        ("\uff21\uff44\uff41@example.com", "Ada@example.com", "ada@example.com"),
        ("ada@\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25.com", "ada@example.com", "ada@example.com"),
        ("ada@example\u3002com", "ada@example.com", "ada@example.com"),
        ("ada@b\u00fccher.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("ada@B\u00dcCHER.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.Example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
        ("Zo\u00cb@example.com", "Zo\u00cb@example.com", "zo\u00eb@example.com"),
        ("zoe\u0308@example.com", "zo\u00eb@example.com", "zo\u00eb@example.com"),
        ("\u212aelvin@example.com", "Kelvin@example.com", "kelvin@example.com"),
        ("\u039d\u0399\u039a\u039f\u03a3@example.com", "\u039d\u0399\u039a\u039f\u03a3@example.com",
         "\u03bd\u03b9\u03ba\u03bf\u03c3@example.com"),
        ("\u03bd\u03b9\u03ba\u03bf\u03c2@example.com", "\u03bd\u03b9\u03ba\u03bf\u03c2@example.com",
         "\u03bd\u03b9\u03ba\u03bf\u03c3@example.com"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
    ],
)  # fmt: skip
def test_spellings_of_one_mailbox_share_a_key(text: str, display: str, key: str) -> None:
    assert parse_address(text) == Address(display, key)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada+news@example.com", "ada@example.com"),
        ("a.da@example.com", "ada@example.com"),
        (f"stra{SHARP_S}e@example.com", "strasse@example.com"),
        (f"a@stra{SHARP_S}e.example", "a@strasse.example"),
        (f"{DOTTED_I}rem@example.com", "irem@example.com"),
        (f"{DOTLESS_I}rem@example.com", "irem@example.com"),
        ("ada@mail.example.com", "ada@example.com"),
        ("\u0430da@example.com", "ada@example.com"),
        ("\u00e9@example.com", "e@example.com"),
    ],
)
def test_what_may_be_two_mailboxes_has_two_keys(one: str, other: str) -> None:
    assert parse_address(one).key != parse_address(other).key


def test_a_capital_sharp_s_is_a_sharp_s() -> None:
    assert parse_address(f"stra{CAPITAL_SHARP_S}e@example.com").key == parse_address(f"stra{SHARP_S}e@example.com").key


REFUSED = [
    "", " ", "ada", "@", "ada@", "@example.com",
    "ada@@example.com",
    "ada@lovelace@example.com",
    "ada@example",
    "ada@localhost",
    "ada@server.local",
    "ada@.example.com",
    "ada@example..com",
    "ada@example.com.",
    "ada@-example.com",
    "ada@exam_ple.com",
    "ada@example.c0m1",
    ".ada@example.com",
    "ada.@example.com",
    "a..da@example.com",
    "a da@example.com",
    "ada @example.com",
    "ada@ example.com",
    "ada@exam ple.com",
    "a\u3000da@example.com",
    "a\u00a0da@example.com",
    "ada\x00@example.com",
    "ada@exam\x00ple.com",
    "\x00ada@example.com",
    "ada\r\nBcc: eve@example.com",
    "ada@example.com\nbob@example.com",
    "a\x7fda@example.com",
    "a\x85da@example.com",
    "a\u202eda@example.com",
    "a\u200bda@example.com",
    "a\u200dda@example.com",
    "a\u00adda@example.com",
    "ada@exam\u202eple.com",
    "\u0301ada@example.com",
    "a\ud800da@example.com",
    "ada@\ud800.com",
    "a\ue000da@example.com",
    "ada\uff20example.com",
    "ada\uff20lovelace@example.com",
    "ada\ufe6bexample.com",
    "ada@example\u2024com",
    '"ada"@example.com',
    '"a da"@example.com',
    '"a@da"@example.com',
    "\uff02ada\uff02@example.com",
    "ada(comment)@example.com",
    "ada\uff08comment\uff09@example.com",
    "ada@(comment)example.com",
    "ada@[127.0.0.1]",
    "ada@[IPv6:::1]",
    "ada@127.0.0.1",
    "ada@\uff11\uff12\uff17.0.0.1",
    "Ada <ada@example.com>",
    "<ada@example.com>",
    "mailto:ada@example.com,bob@example.com",
    "ada@example.com,bob@example.com",
    "ada;bob@example.com",
    "ada@xn--.com",
    "ada@xn--a.com",
    "ada@ab--cd.com",
    "a" * 65 + "@example.com",
    "ada@" + "a" * 64 + ".com",
    "ada@" + "a." * 130 + "com",
    "a" * 100_000 + "@example.com",
    "a\u0301\u0327" * 30_000 + "@example.com",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_public_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(Enter|An|Type) .*\.$") as refusal:
        parse_address(text)
    assert type(refusal.value) is ValueError
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    if text not in " ada@example.com.":
        assert text not in str(refusal.value)


def test_an_address_has_at_most_254_bytes() -> None:
    def address(last: int) -> str:
        return "a" * 64 + "@" + ".".join(("b" * 63, "c" * 63, "d" * last, "com"))

    assert len(parse_address(address(57)).key) == LONGEST_ADDRESS
    with pytest.raises(ValueError, match="254 bytes"):
        parse_address(address(58))


def test_bytes_are_counted_not_characters() -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address("\u00fc" * 64 + "@" + ".".join(("b" * 63, "c" * 63, "com")))


@given(st.text(max_size=80) | st.builds("{}@{}.com".format, st.text(min_size=1), st.text(min_size=1)))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError as error:
        kind: type[Exception] | None = type(error)
    else:
        kind = None
        assert address.display.count("@") == address.key.count("@") == 1
        assert parse_address(address.display) == address
        assert parse_address(address.key).key == address.key
        assert address.key.rpartition("@")[2].isascii()
    assert kind in (None, ValueError)


@given(st.characters(categories=["Lu", "Ll", "Lt"]))
def test_case_and_form_never_change_the_key(letter: str) -> None:
    key = parse_address(f"x{letter}@example.com").key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert parse_address(unicodedata.normalize(form, f"x{letter}@example.com")).key == key
    if len(letter.lower()) == 1:
        assert parse_address(f"x{letter.lower()}@example.com").key == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada", "Ada"),
        ("  Ada \n", "Ada"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("O'Brien", "O'Brien"),
        ("Jean-Luc", "Jean-Luc"),
        ("J. R. R.", "J. R. R."),
        ("St.John", "St.John"),
        ("van den Berg", "van den Berg"),
        ("\u674e", "\u674e"),
        ("\u0645\u06cc\u200c\u0646\u0627", "\u0645\u06cc\u200c\u0646\u0627"),
        ("a/l Kumar", "a/l Kumar"),
        ("Louis XIV 2nd", "Louis XIV 2nd"),
        ("x" * 100, "x" * 100),
        ("e\u0301" * 100, "\u00e9" * 100),
    ],
)
def test_names_are_trimmed_and_composed(text: str, expected: str) -> None:
    assert display_name(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 101,
        "x" * 100_000,
        "Ada\nBcc: eve@example.com",
        "Ada\x00",
        "A\tda",
        "A\x1b[31mda",
        "\u202eadA",
        "A\u2066da\u2069",
        "A\u200bda",
        "A\ufeffda",
        "A\u2028da",
        "A\ud800da",
        "A\ue000da",
        "<b>Ada</b>",
        "Ada>",
        "\uff1cscript\uff1e",
        "https://evil.example",
        "see javascript://x",
        "see WWW.evil.example",
        "\uff48ttp\uff1a//evil.example",
        "\u200d",
        "...",
        "1234",
    ],
)
def test_a_name_that_forges_or_links_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^A name .*\.$") as refusal:
        display_name(text)
    assert type(refusal.value) is ValueError
    assert not text.strip() or text not in str(refusal.value)


class Person(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    email: EmailAddress
    first_name: PersonName | None = None


def test_a_strict_body_takes_both_from_json() -> None:
    person = Person.model_validate_json('{"email": " Ada@EXAMPLE.com", "first_name": " Ada "}')
    assert person.email == Address("Ada@example.com", "ada@example.com")
    assert person.first_name == "Ada"


def test_a_strict_body_takes_both_from_python_and_gives_text_back() -> None:
    person = Person(email=parse_address("Ada@example.com"), first_name="Ada")
    assert person.model_dump() == {"email": "Ada@example.com", "first_name": "Ada"}
    assert Person.model_validate_json(person.model_dump_json()) == person


@pytest.mark.parametrize("value", ["null", "1", "true", "[]", "{}", '["ada@example.com"]'])
def test_an_address_that_is_no_text_is_refused_as_pydantic_would(value: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Person.model_validate_json(f'{{"email": {value}}}')
    assert [fault["type"] for fault in refusal.value.errors()] == ["string_type"]


def test_a_refusal_is_a_message_for_people() -> None:
    with pytest.raises(ValidationError) as refusal:
        Person.model_validate_json('{"email": "secret\\u0000thing", "first_name": "<b>"}')
    messages = [fault["msg"].removeprefix("Value error, ") for fault in refusal.value.errors()]
    assert messages == [
        "Enter an e-mail address at a public domain, like ada@example.com.",
        "A name cannot have < or > or a link.",
    ]


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_document_describes_both(mode: str) -> None:
    properties = Person.model_json_schema(mode=mode)["properties"]  # type: ignore[arg-type]
    assert properties["email"] == {
        "type": "string",
        "format": "email",
        "maxLength": 254,
        "examples": ["ada@example.com"],
        "title": "Email",
    }
    assert properties["first_name"]["anyOf"][0] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "examples": ["Ada"],
    }
