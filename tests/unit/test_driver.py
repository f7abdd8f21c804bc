"""SQL with named parameters in the driver's own form."""

import pytest

from authapi.core.driver import Statement


def test_each_name_gets_one_number() -> None:
    statement = Statement("SELECT :b, CAST(:a AS text), :b::uuid, now()::text")
    assert statement.sql == "SELECT $1, CAST($2 AS text), $1::uuid, now()::text"
    assert statement.arguments({"a": 1, "b": 2, "c": 3}) == [2, 1]


def test_a_value_that_is_missing_is_told_by_its_name() -> None:
    with pytest.raises(KeyError, match="planet"):
        Statement("SELECT :planet").arguments({"moon": 1})
