"""What every folder of tests shares."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tams", "the TAMS server under test")
    group.addoption("--tams-url", help="base URL of the server to test; default: the project's own, started for it")
    group.addoption("--tams-token", help="bearer token for that server")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "behaviour(*ids): the behaviours (docs/behaviours.md) that a test proves")
