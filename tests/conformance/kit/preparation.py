"""Separation of a test's preparation from what it tests: if preparation fails, the behaviour is not tested."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx


class PreparationError(AssertionError):
    """A resource that the test needs could not be made."""


@contextmanager
def preparing(what: str) -> Iterator[None]:
    """Convert any failure in the block into a PreparationError that says that `what` could not be made."""
    try:
        yield
    except (AssertionError, LookupError, ValueError, httpx.HTTPError) as error:
        raise PreparationError(f"{what} could not be made: {error or type(error).__name__}") from error
