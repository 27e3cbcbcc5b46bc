"""Telling what a test looks at from what it needs first: a failure of the latter says nothing about the former."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx


class NotPrepared(AssertionError):
    """What a test needs could not be made, so that it could not test."""


@contextmanager
def preparing(what: str) -> Iterator[None]:
    """Whatever fails in the block, `what` could not be made. Raises NotPrepared."""
    try:
        yield
    except (AssertionError, LookupError, ValueError, httpx.HTTPError) as error:
        raise NotPrepared(f"{what} could not be made: {error or type(error).__name__}") from error
