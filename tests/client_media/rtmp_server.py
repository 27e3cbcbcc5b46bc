"""A server of RTMP that plays an FLV file to any player: Adobe's specification 1.0, without digests."""

import socketserver
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.client_media.tcp_server import serving_tcp

_HANDSHAKE = 1536
_SET_CHUNK_SIZE, _COMMAND = 1, 20
"""Types of messages."""
_CHUNK_SIZE = 1 << 20
"""Above the size of any message here, so that each is one chunk."""


def serving_rtmp(flv: bytes) -> AbstractContextManager[int]:
    """Serve a file during the block. Yields the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            greeting = self.rfile.read(1 + _HANDSHAKE)
            self.wfile.write(b"\3" + bytes(_HANDSHAKE) + greeting[1:])
            self.rfile.read(_HANDSHAKE)
            self.wfile.write(_message(_SET_CHUNK_SIZE, struct.pack(">I", _CHUNK_SIZE)))
            self._await(b"connect")
            self.wfile.write(_message(_COMMAND, _text("_result") + _number(1) + b"\5\5"))
            self._await(b"createStream")
            self.wfile.write(_message(_COMMAND, _text("_result") + _number(2) + b"\5" + _number(1)))
            self._await(b"play")
            status = _text("onStatus") + _number(0) + b"\5" + _object(level="status", code="NetStream.Play.Start")
            self.wfile.write(_message(_COMMAND, status))
            for type_, time, body in _tags(flv):
                self.wfile.write(_message(type_, body, time, 1))

        def _await(self, name: bytes) -> None:
            """Read to the end of the name of a command; what is in it does not matter."""
            read = b""
            while not read.endswith(name):
                byte = self.rfile.read(1)
                assert byte, f"the player has not sent {name!r}"
                read += byte

    return serving_tcp(Handler)


def _tags(flv: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, time in ms and body of each tag of a file."""
    at = 13
    while at < len(flv):
        size, time = int.from_bytes(flv[at + 1 : at + 4], "big"), int.from_bytes(flv[at + 4 : at + 7], "big")
        yield flv[at], time, flv[at + 11 : at + 11 + size]
        at += size + 15


def _message(type_: int, body: bytes, time: int = 0, stream: int = 0) -> bytes:
    head = bytes([3]) + time.to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([type_])
    return head + struct.pack("<I", stream) + body


def _text(value: str) -> bytes:
    return b"\2" + struct.pack(">H", len(value)) + value.encode()


def _number(value: float) -> bytes:
    return b"\0" + struct.pack(">d", value)


def _object(**members: str) -> bytes:
    return b"\3" + b"".join(_text(name)[1:] + _text(value) for name, value in members.items()) + b"\0\0\11"
