"""A log of the last requests and responses, from which a failure is reported with curl commands."""

import re
import shlex
from collections import deque
from typing import Any

import httpx

_KEPT = 6
_SHOWN_CHARS = 2000
_HEADER_CHARS = 300
_TOKEN_IN_URL = re.compile(r"(?<=[?&])(access_token=)[^&#]+")
_LEFT_OUT = ("accept", "accept-encoding", "connection", "host", "user-agent", "content-length")


class ExchangeLog:
    """The last few exchanges of the running test."""

    def __init__(self) -> None:
        self._exchanges: deque[httpx.Response] = deque(maxlen=_KEPT)

    def clear(self) -> None:
        self._exchanges.clear()

    def record(self, response: httpx.Response) -> None:
        self._exchanges.append(response)

    def summaries(self) -> list[dict[str, Any]]:
        """Each exchange, oldest first, without credentials."""
        return [
            {
                "curl": _curl(response.request),
                "status": response.status_code,
                "headers": {name: _cut(value, _HEADER_CHARS) for name, value in response.headers.items()},
                "body": _text(response),
            }
            for response in self._exchanges
        ]


def _curl(request: httpx.Request) -> str:
    method = ["--head"] if request.method == "HEAD" else ["-i", "-X", request.method]
    parts = ["curl", *method, shlex.quote(_TOKEN_IN_URL.sub(r"\1TOKEN", str(request.url)))]
    for name, value in request.headers.items():
        if name == "authorization":
            value = f"{value.partition(' ')[0]} $TOKEN"
            parts += ["-H", f'"{name}: {value}"']
        elif name not in _LEFT_OUT:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    try:
        body = request.content
    except httpx.RequestNotRead:
        body = b"(streamed)"
    if body:
        parts += ["--data-binary", shlex.quote(body[:_SHOWN_CHARS].decode("utf-8", "replace"))]
    return " ".join(parts)


def _text(response: httpx.Response) -> str:
    try:
        return _cut(response.text, _SHOWN_CHARS)
    except httpx.ResponseNotRead:
        return "(streamed)"


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[:chars]}..."


EXCHANGE_LOG = ExchangeLog()
