"""The body of a download, in the form that an upload needs."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tams_server.client import Unreachable

CHUNK = 256 * 1024
"""Bytes of an object that a transfer holds at a time, twice."""


@asynccontextmanager
async def body_with_length(response: httpx.Response) -> AsyncIterator[tuple[AsyncIterator[bytes], int]]:
    """The body of a response and its length, which an upload has to state. Without one, it is put on disk first."""
    length = response.headers.get("content-length", "")
    if length.isdecimal():
        yield _chunks(response), int(length)
        return
    with tempfile.TemporaryFile() as file:
        async for chunk in _chunks(response):
            file.write(chunk)
        size = file.tell()
        file.seek(0)

        async def from_file() -> AsyncIterator[bytes]:
            while chunk := file.read(CHUNK):
                yield chunk

        yield from_file(), size


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw(CHUNK):
            yield chunk
    except httpx.TransportError as error:
        raise Unreachable(response.request, error) from error
