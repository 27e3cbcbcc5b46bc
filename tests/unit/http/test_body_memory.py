"""The memory for bodies: counted as they arrive and are decoded, released when their request ends."""

import asyncio
import zlib

import pytest
from starlette.types import Message

from tams_server.errors import TooManyBodies
from tams_server.http.body_memory import FREE_BYTES, BodyMemory
from tams_server.http.content_codings import inflate
from tams_server.http.request_bodies import read_body

MIB = 2**20


def body_of(size: int, chunk: int, memory: BodyMemory) -> int:
    """Read a body of that size, and return the bytes that were held when the last chunk came."""
    left = size

    async def receive() -> Message:
        nonlocal left
        count = min(chunk, left)
        left -= count
        return {"type": "http.request", "body": bytes(count), "more_body": left > 0}

    with memory.share() as share:
        body = asyncio.run(read_body({}, receive, size, share=share))
        assert bytes(body) == bytes(size)
        return memory.held


@pytest.mark.parametrize("chunk", [4 * MIB, 65_536, 1000])
def test_a_body_holds_its_bytes_until_its_request_ends(chunk: int) -> None:
    memory = BodyMemory(4 * MIB)
    assert body_of(4 * MIB, chunk, memory) == 4 * MIB - FREE_BYTES
    assert memory.held == 0


def test_bodies_that_do_not_fit_are_rejected_and_hold_nothing() -> None:
    memory = BodyMemory(4 * MIB)
    with memory.share() as other:
        other.add(3 * MIB)
        held = memory.held
        with pytest.raises(TooManyBodies) as caught:
            body_of(2 * MIB, 1000, memory)
        assert caught.value.headers["Retry-After"]
        assert memory.held == held
        assert body_of(MIB, 1000, memory) == held + MIB - FREE_BYTES


def test_small_bodies_are_never_rejected() -> None:
    memory = BodyMemory(MIB)
    with memory.share() as other:
        other.add(MIB + FREE_BYTES)
        assert body_of(FREE_BYTES, 1000, memory) == MIB
        with pytest.raises(TooManyBodies):
            body_of(FREE_BYTES + 1, 1000, memory)


def test_decoded_bytes_are_counted_as_they_come() -> None:
    memory = BodyMemory(2 * MIB)
    encoded = zlib.compress(bytes(64 * MIB))
    with memory.share() as share, pytest.raises(TooManyBodies):
        inflate(encoded, "deflate", 16 * MIB, share)
    assert memory.held == 0
    with memory.share() as share:
        assert len(inflate(zlib.compress(bytes(MIB)), "deflate", MIB, share)) == MIB
        assert memory.held == MIB - FREE_BYTES
