"""Sending and reading bytes at the URLs that a server hands out, with credentials where these are due."""

from collections.abc import Mapping

import httpx

from tests.conformance.kit.client import MEDIA_TIMEOUT, TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.trail import TRAIL

_HOOKS = {"response": [TRAIL.note]}


def _client(tams: TamsClient, url: str, presigned: bool) -> httpx.Client:
    """A client with the credentials of the API for its own origin, and with none for presigned URLs."""
    own = tams.http.base_url
    there = httpx.URL(url)
    same_origin = (there.scheme, there.netloc) == (own.scheme, own.netloc)
    headers = tams.http.headers if same_origin and not presigned else None
    return httpx.Client(headers=headers, timeout=MEDIA_TIMEOUT, event_hooks=_HOOKS)


def send(tams: TamsClient, item: Json, content: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """PUT `content` as the item of media_objects asks; `headers` are added to those that it names."""
    put_url = item["put_url"]
    with _client(tams, put_url["url"], item.get("presigned", False)) as client:
        named = {"Content-Type": put_url["content-type"], **put_url.get("headers", {})}
        return client.put(put_url["url"], content=content, headers={**named, **(headers or {})})


def fetch(tams: TamsClient, url: Json) -> httpx.Response:
    """GET one item of get_urls."""
    with _client(tams, url["url"], url.get("presigned", False)) as client:
        return client.get(url["url"])


def stranger(method: str, url: str, content: bytes | None = None, content_type: str | None = None) -> httpx.Response:
    """The same without any credentials."""
    headers = {"Content-Type": content_type} if content_type else None
    with httpx.Client(timeout=MEDIA_TIMEOUT, event_hooks=_HOOKS) as client:
        return client.request(method, url, content=content, headers=headers)
