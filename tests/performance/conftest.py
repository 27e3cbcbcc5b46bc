"""The server under test, and the table of what was measured."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.conftest import subject
from tests.conformance.kit.server import Subject
from tests.performance.timing import Table

__all__ = ["subject"]


@pytest.fixture(scope="session")
def client(subject: Subject) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=subject.url, headers=subject.credential, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """What was measured, printed at the end."""
    table = Table()
    yield table
    print(f"\n{table}")
