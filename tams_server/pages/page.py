"""What all pages share: the check of the method, the headers and the sending."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope, Send

from tams_server.errors import MethodNotAllowed

SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}
"""What every page forbids browsers, unless it says otherwise. URLs may contain an access token: no page passes its own
on."""


@dataclass(frozen=True, slots=True)
class PageContent:
    """The content of a page. headers: besides Content-Type, Content-Length and SECURITY_HEADERS, by lower-case name.

    not_modified: whether the client has this content already; the response is then 304, without a body.
    status: of the response otherwise.
    """

    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=lambda: {"cache-control": "no-store"})
    not_modified: bool = False
    status: int = 200


class WebPage:
    """The ASGI application of a page, for GET and HEAD. OuterMiddleware removes the body from responses to HEAD."""

    def __init__(self, render: Callable[[Scope], Awaitable[PageContent]]) -> None:
        """render: makes the content of a request, or raises a TamsError."""
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the content, or 304. Raises MethodNotAllowed, and what the page raises."""
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(
                f"method {scope['method']} is not allowed here, only GET and HEAD", headers={"Allow": "GET, HEAD"}
            )
        content = await self._render(scope)
        body = b"" if content.not_modified else content.body
        headers = {**SECURITY_HEADERS, **content.headers}
        if not content.not_modified:
            headers |= {"content-type": content.content_type, "content-length": str(len(body))}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        status = 304 if content.not_modified else content.status
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
