"""Head and body of a response leave in one write, and nothing is held back longer than that."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tams_server.processes.connection import Connection
from tams_server.processes.response_transport import ResponseTransport, join_head_and_body

START = {"type": "http.response.start"}
BODY = {"type": "http.response.body"}
FILE = {"type": "http.response.zerocopysend"}


class Network:
    """The transport below. writes: what was written, in order, and "close". ended: it fails like one that has ended."""

    def __init__(self, *, ended: bool = False) -> None:
        self.writes: list[Any] = []
        self._ended = ended

    def write(self, data: bytes) -> None:
        self.writelines([data])

    def writelines(self, pieces: list[bytes]) -> None:
        if self._ended:
            raise RuntimeError("the handler is closed")
        self.writes.append(b"".join(pieces))

    def is_closing(self) -> bool:
        return self._ended

    def close(self) -> None:
        self.writes.append("close")


def written(*messages: dict[str, str], closes: bool = False, ended: bool = False) -> list[Any]:
    """Return what is written for a response of these messages. closes: after the last of them. ended: by the client."""
    network = Network(ended=ended)
    connection = SimpleNamespace(transport=network, expects_more=False)
    transport = ResponseTransport(cast(Connection, connection))

    async def send(message: dict[str, str]) -> None:
        transport.write(message["type"].rpartition(".")[2].encode() + b" ")
        if closes and message is messages[-1]:
            transport.close()

    cycle = cast(RequestResponseCycle, SimpleNamespace(send=send))
    join_head_and_body(cycle, transport)

    async def respond() -> None:
        for message in messages:
            await cycle.send(cast(Any, message))

    asyncio.run(respond())
    return network.writes


def test_head_and_body_are_one_write() -> None:
    assert written(START, BODY) == [b"start body "]


def test_only_the_first_part_of_a_body_is_joined() -> None:
    assert written(START, BODY, BODY) == [b"start body ", b"body "]


def test_the_head_is_written_before_a_file_that_bypasses_the_transport() -> None:
    assert written(START, FILE) == [b"start ", b"zerocopysend "]


def test_an_error_between_head_and_body_replaces_the_head() -> None:
    assert written(START, START, BODY) == [b"start body "]


def test_a_connection_closes_only_after_all_is_written() -> None:
    assert written(START, BODY, closes=True) == [b"start body ", "close"]


def test_a_response_to_a_client_that_has_gone_is_discarded() -> None:
    assert written(START, BODY, BODY, ended=True) == []
