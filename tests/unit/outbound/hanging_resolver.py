"""A resolver of names that does not return."""

import contextlib
import threading
from collections.abc import Iterator, Sequence

from tams_server.outbound.dns_lookups import Resolver


@contextlib.contextmanager
def hanging() -> Iterator[tuple[Resolver, list[str]]]:
    """A resolver that does not return until the block ends, and the list of names it was called with."""
    end = threading.Event()
    asked: list[str] = []

    def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        end.wait(30)
        return []

    try:
        yield resolve, asked
    finally:
        end.set()
