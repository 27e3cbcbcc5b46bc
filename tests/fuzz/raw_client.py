"""HTTP requests as bytes on a socket, for requests that no HTTP library would send."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.conformance.kit.server import Subject

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Response:
    """A response. headers: by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def check(self) -> None:
        """Fail on a 5xx other than 501, and on an error without a problem document."""
        assert self.status < 500 or self.status == 501, self
        if self.status >= 400:
            assert self.headers["content-type"] == PROBLEM, self
            assert json.loads(self.body)["status"] == self.status


class RawClient:
    """Opens a connection for each call. Sends the credential unless an Authorization header is given."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        parts = urlsplit(subject.url)
        self._address = (parts.hostname or "", parts.port or 80)

    def request(
        self,
        method: str,
        target: str | bytes,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Response:
        """Send a request and return the response. headers: replace the default ones; text is sent as Latin-1."""
        (response,) = self.exchange(self.build(method, target, body, headers))
        return response

    def build(
        self,
        method: str,
        target: str | bytes,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> bytes:
        """The bytes of a request that closes the connection."""
        lines: dict[str, str | bytes] = {
            "Host": f"{self._address[0]}:{self._address[1]}",
            "Authorization": f"Bearer {self._subject.token}",
            "Connection": "close",
        }
        if body is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines |= headers or {}
        first = b" ".join((method.encode("latin-1"), _bytes(target), b"HTTP/1.1"))
        return b"\r\n".join(
            [first, *(_bytes(name) + b": " + _bytes(value) for name, value in lines.items()), b"", b""]
        ) + (body or b"")

    def exchange(self, sent: bytes, timeout_s: float = 30) -> list[Response]:
        """Send bytes, and return the responses until the server closes the connection or the timeout expires."""
        with socket.create_connection(self._address, timeout=timeout_s) as connection:
            received = b""
            try:
                connection.sendall(sent)
                while chunk := connection.recv(65536):
                    received += chunk
            except (ConnectionError, TimeoutError):
                pass  # the server may close the connection, or wait for the rest of an announced body
        return _parse_responses(received)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _parse_responses(received: bytes) -> list[Response]:
    responses = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", len(rest)))
        responses.append(Response(int(first.split(" ")[1]), headers, rest[:length]))
        received = rest[length:]
    return responses
