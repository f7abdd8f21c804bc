"""The short way of plain addresses: it says what the library says, without asking it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authapi.users import rules
from authapi.users.rules import Address, parse_address

PARTS = st.text("aZ0.-_+'@ \u00fc", max_size=66)
DOMAINS = st.sampled_from(
    ["example.com", "EXAMPLE.com", "xn--bcher-kva.example", "b\u00fccher.example", "a.test", "com"]
)


@given(PARTS, DOMAINS | PARTS)
def test_any_address_is_what_the_library_makes_of_it(local: str, domain: str) -> None:
    expected = by_the_library(f"{local}@{domain}")
    assert outcome(f"{local}@{domain}") == expected == outcome(f"{local}@{domain}")


@pytest.mark.parametrize("text", ["postmaster@example.com", "Postmaster@example.com", "a.b+c_d-e@Example.COM"])
def test_what_is_an_address_stays_one(text: str) -> None:
    assert isinstance(outcome(text), Address)
    assert outcome(text) == by_the_library(text)


def test_the_short_way_is_taken() -> None:
    assert parse_address("ada@example.com") == Address("ada@example.com", "ada@example.com")
    before = rules._plain_domain.cache_info()
    parse_address("b.o+b@example.com")
    parse_address("Ada@example.com")
    after = rules._plain_domain.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def by_the_library(text: str) -> Address | str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "PLAIN_LOCAL", re.compile("(?!)"))
        return outcome(text)


def outcome(text: str) -> Address | str:
    try:
        return parse_address(text)
    except ValueError as error:
        return str(error)
