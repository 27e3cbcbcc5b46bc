"""Upload and download at the URLs that a server gives out, with credentials where required."""

from collections.abc import Mapping

import httpx

from tests.conformance.kit.client import MEDIA_TIMEOUT, TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.exchange_log import EXCHANGE_LOG

_HOOKS = {"response": [EXCHANGE_LOG.record]}


def _client(tams: TamsClient, url: str, presigned: bool) -> httpx.Client:
    """A client that sends the API's credentials to the API's own origin, but never to presigned URLs."""
    own = tams.http.base_url
    there = httpx.URL(url)
    same_origin = (there.scheme, there.netloc) == (own.scheme, own.netloc)
    headers = tams.http.headers if same_origin and not presigned else None
    return httpx.Client(headers=headers, timeout=MEDIA_TIMEOUT, event_hooks=_HOOKS)


def upload(tams: TamsClient, item: Json, content: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """PUT `content` to the put_url of an item of media_objects. `headers` are added to those it names."""
    put_url = item["put_url"]
    with _client(tams, put_url["url"], item.get("presigned", False)) as client:
        named = {"Content-Type": put_url["content-type"], **put_url.get("headers", {})}
        return client.put(put_url["url"], content=content, headers={**named, **(headers or {})})


def download(tams: TamsClient, url: Json) -> httpx.Response:
    """GET an item of get_urls."""
    with _client(tams, url["url"], url.get("presigned", False)) as client:
        return client.get(url["url"])


def send_without_credentials(
    method: str, url: str, content: bytes | None = None, content_type: str | None = None
) -> httpx.Response:
    """Send a request without any credentials."""
    headers = {"Content-Type": content_type} if content_type else None
    with httpx.Client(timeout=MEDIA_TIMEOUT, event_hooks=_HOOKS) as client:
        return client.request(method, url, content=content, headers=headers)
