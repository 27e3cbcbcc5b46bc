"""Leaving a test out because the server does not offer what it is about."""

from typing import NoReturn

import pytest

from tests.conformance.kit.report.results import NOT_IMPLEMENTED


def not_implemented(what: str) -> NoReturn:
    """Skip the test; its behaviours count as optional ones that the server lacks. what: for the report."""
    pytest.skip(NOT_IMPLEMENTED + what)
