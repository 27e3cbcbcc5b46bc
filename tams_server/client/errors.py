"""Errors that the clients raise. Messages name the request and what the server said, and hold no credential."""

import re
from typing import Any, Final

import httpx

_SHOWN = 500
"""Characters of a response body that is not a problem document."""

_HOST: Final = re.compile(r"([\w.-]*|\[[0-9a-fA-F:.]+\])(:\d+)?")


class ClientError(Exception):
    """Base of the errors of the client library."""


class Unreachable(ClientError):
    """There was no response: no connection, a timeout, or a connection that broke off."""

    def __init__(self, request: httpx.Request | None, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        super().__init__(f"{line(request)}: {reason}" if request is not None else reason)


class ApiError(ClientError):
    """A response with a status that the operation does not have on success. status: of HTTP. reason: in words."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.reason = _reason(response)
        super().__init__(f"{line(response.request)} returned {self.status}: {self.reason}")


class NotFound(ApiError):
    """A 404: the resource does not exist, or is hidden from the caller."""


def api_error(response: httpx.Response) -> ApiError:
    """The error for a response whose body has been read."""
    return NotFound(response) if response.status_code == 404 else ApiError(response)


def line(request: httpx.Request) -> str:
    """Method and URL of a request, without the query, which may hold a signature or a token."""
    return f"{request.method} {request.url.copy_with(query=None, username=None, password=None)}"


def shown_url(url: str) -> str:
    """Scheme, host and port of any URL: what may be shown and stored.

    All else may hold a secret: a name and a password, a query with a token, a path that ends in the key of a stream.
    """
    before, _, after = url.partition("://")
    scheme = re.split("[^A-Za-z0-9+.-]", before)[-1]
    host = re.split(r"[/?#\\]", after, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host if _HOST.fullmatch(host) else ''}"


def _reason(response: httpx.Response) -> str:
    """What a problem document (RFC 9457) or a TAMS error says, else the beginning of the text."""
    try:
        document: Any = response.json()
    except ValueError:
        return response.text[:_SHOWN].strip() or response.reason_phrase
    if isinstance(document, dict):
        for name in ("detail", "summary", "message", "title"):
            if isinstance(document.get(name), str):
                return str(document[name])
    return response.text[:_SHOWN]
