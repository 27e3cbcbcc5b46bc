"""Raw HTTP exchanges, for details that an HTTP client would correct or hide."""

import socket
import ssl
from urllib.parse import urlsplit

_TIMEOUT_S = 30


def raw_request(url: str, method: str, headers: dict[str, str], body: bytes = b"") -> tuple[bytes, bytes]:
    """Send a request on a new connection, and read until the server closes it.

    Returns the head of the response and all bytes after it.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    secure = parts.scheme == "https"
    assert parts.hostname
    with socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), _TIMEOUT_S) as plain:
        stream = ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) if secure else plain
        stream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        received = b""
        while chunk := stream.recv(65536):
            received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest
