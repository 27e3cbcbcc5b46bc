"""A server of RTSP that sends a file of MPEG-TS by RTP, in the connection of its requests (RFC 2326, 10.12)."""

import socketserver
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.client_media.tcp_server import serving_tcp

_LINES = (
    "v=0",
    "o=- 0 0 IN IP4 127.0.0.1",
    "s=test",
    "c=IN IP4 0.0.0.0",
    "t=0 0",
    "m=video 0 RTP/AVP 33",
    "a=control:track",
)
_SDP = "".join(f"{line}\r\n" for line in _LINES)
_PAYLOAD = 7 * 188


def serving_rtsp(media: bytes) -> AbstractContextManager[int]:
    """Serve packets of MPEG-TS during the block. Yields the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline().decode():
                method = line.partition(" ")[0]
                headers = dict(self._headers())
                if method == "SETUP" and "TCP" not in headers["transport"]:
                    self._reply("461 Unsupported Transport", headers)
                    continue
                body = _SDP if method == "DESCRIBE" else ""
                self._reply("200 OK", headers, body)
                if method == "PLAY":
                    self._play()
                    return

        def _headers(self) -> Iterator[tuple[str, str]]:
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                yield name.lower(), value.strip()

        def _reply(self, status: str, headers: dict[str, str], body: str = "") -> None:
            lines = [f"RTSP/1.0 {status}", f"CSeq: {headers['cseq']}", "Session: 1", f"Content-Length: {len(body)}"]
            lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"] if "transport" in headers else []
            lines += ["Content-Type: application/sdp"] if body else []
            self.wfile.write(("\r\n".join(lines) + f"\r\n\r\n{body}").encode())

        def _play(self) -> None:
            for number, at in enumerate(range(0, len(media), _PAYLOAD)):
                packet = struct.pack(">BBHII", 0x80, 33, number % 65_536, 0, 1) + media[at : at + _PAYLOAD]
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    return serving_tcp(Handler)
