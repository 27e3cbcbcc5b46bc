"""Fixtures of the tests of commands."""

from collections.abc import Iterator

import pytest

from tests.logging_state import kept_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo what a command changes in the logging of the process."""
    with kept_logging():
        yield
