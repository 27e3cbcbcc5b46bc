"""Fixtures: a file store, and a client of the media plane over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from storage.media.filesystem import FileStore
from tests.unit.media.plane.media_requests import (
    client_of,
    open_store,
    plane,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return open_store(tmp_path)


@pytest.fixture
async def client(store: FileStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(plane(store)) as client:
        yield client
