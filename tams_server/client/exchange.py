"""What both clients do around a request, without I/O: arguments for httpx, pages, origins, and errors."""

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from tams_server.client.calls import Call, Listing
from tams_server.client.documents import GetUrl, Slot
from tams_server.client.errors import ClientError, api_error, shown_url

TIMEOUT = httpx.Timeout(60, connect=10, pool=None)
_SHOWN = 200
"""Characters of a path in messages."""
_PORTS = {"http": 80, "https": 443}


@cache
def tls() -> ssl.SSLContext:
    """The certificates that all clients of this process trust; reading them takes longer than a request."""
    return httpx.create_ssl_context()


def arguments(call: Call[Any]) -> dict[str, Any]:
    """The arguments of httpx's request method for a call."""
    found: dict[str, Any] = {"params": dict(call.params)} if call.params else {}
    if call.has_body:
        found["json"] = call.body
    return found


def base_url(url: str) -> httpx.URL:
    """The URL of a server. Raises ClientError for one that is not of HTTP."""
    try:
        found = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL as error:
        reason = "" if "@" in url else f": {error}"  # which may quote a part of a password
        raise ClientError(f"the URL of the TAMS server is none{reason}") from error
    if found.scheme not in ("http", "https"):
        raise ClientError(f"the URL of a TAMS server must begin with http:// or https://, not be {shown_url(url)!r}")
    return found


def request_of(http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    """The request for a call. Raises ClientError for what none can hold: a long name, or text that is not Unicode."""
    try:
        return http.build_request(call.method, call.path, **arguments(call))
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise ClientError(f"{call.method} {call.path[:_SHOWN]} cannot be sent: {error}") from error


def next_page(base: httpx.URL, listing: Listing[Any], response: httpx.Response) -> tuple[str, Mapping[str, str]] | None:
    """URL and parameters of the page that follows `response`; None if it is the last.

    By the Link header where that stays on the server's origin, as credentials go nowhere else; a server behind a proxy
    that it does not know of gives links elsewhere, and is asked by the page key instead. Raises ClientError
    if it has none.
    """
    link = response.links.get("next", {}).get("url")
    if link is None:
        return None
    url = response.url.join(link)
    if origin(url) == origin(base):
        return str(url), {}
    key = response.headers.get("x-paging-nextkey")
    if key is None:
        raise ClientError(f"the next page of {listing.path} is at another server, {url.host}, and has no page key")
    return listing.path, {**listing.params, "page": key}


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)


def takes_credentials(base: httpx.URL, url: str, presigned: bool) -> bool:
    """Whether the credentials of the API belong to a media URL: same origin, and without a permission of its own."""
    return not presigned and origin(httpx.URL(url)) == origin(base)


def usable_urls(get_urls: list[GetUrl]) -> list[GetUrl]:
    """The URLs of HTTP, controlled ones before others and presigned ones before others, else in the server's order."""
    found = [each for each in get_urls if each["url"].startswith(("http://", "https://"))]
    return sorted(found, key=lambda each: (not each.get("controlled", True), not each.get("presigned", False)))


def upload_headers(slot: Slot, size: int, extra: Mapping[str, str]) -> dict[str, str]:
    """The headers that an upload needs. size: in bytes."""
    put_url = slot["put_url"]
    headers = {str(name): str(value) for name, value in put_url.get("headers", {}).items()}
    if "content-type" in put_url:
        headers["Content-Type"] = put_url["content-type"]
    return {**headers, **extra, "Content-Length": str(size)}


def check(response: httpx.Response, expected: tuple[int, ...]) -> httpx.Response:
    """Return a response whose body has been read. Raises ApiError if its status is not expected."""
    if response.status_code not in expected:
        raise api_error(response)
    return response
