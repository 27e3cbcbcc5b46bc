"""Skipping of tests of optional features that the server lacks."""

from typing import NoReturn

import pytest

from tests.conformance.kit.report.results import NOT_IMPLEMENTED


def not_implemented(what: str) -> NoReturn:
    """Skip the test, and report its behaviours as Not Implemented. what: the missing feature."""
    pytest.skip(NOT_IMPLEMENTED + what)
