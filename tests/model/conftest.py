"""How long the models run: a little in every run of the suite, in full with `pytest tests/model --prove`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prove", action="store_true", help="run the models for as many steps as a proof takes")


@pytest.fixture(scope="session")
def is_proof(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--prove", default=False))
