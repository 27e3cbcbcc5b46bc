"""The asynchronous client."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx

from tams_server.client.calls import Call, Listing
from tams_server.client.checksums import Digest, Told, digest_of, told
from tams_server.client.credentials import Credentials
from tams_server.client.documents import GetUrl, Slot
from tams_server.client.errors import ClientError, Unreachable, api_error
from tams_server.client.exchange import (
    TIMEOUT,
    base_url,
    check,
    next_page,
    request_of,
    takes_credentials,
    tls,
    upload_headers,
)
from tams_server.client.retry import RetryPolicy

T = TypeVar("T")


class AsyncClient:
    """A client of the TAMS server at `url`. Use it as an asynchronous context manager, which closes its connections.

    credentials: go to the server's own origin only. retry: for requests to the API; transfers of media are not
    repeated. transport: of httpx, for tests. Raises ClientError for a URL that is not of HTTP.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        *,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = base_url(url)
        self._credentials = credentials
        self._retry = retry or RetryPolicy()
        self._http = httpx.AsyncClient(base_url=self._base, timeout=TIMEOUT, verify=tls(), transport=transport)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash, a name and a password."""
        return str(self._base.copy_with(username=None, password=None))

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def aclose(self) -> None:
        """Close the connections, where the client is not used as a context manager."""
        await self._http.aclose()

    async def send(self, call: Call[T], retry: RetryPolicy | None = None) -> T:
        """Send a call, again after temporary failures. retry: instead of the client's.

        Raises ApiError, NotFound for a 404, and Unreachable.
        """
        return call.read(await self._request(call, retry or self._retry))

    async def iterate(self, listing: Listing[T]) -> AsyncIterator[T]:
        """The items of a listing, page by page. Raises as `send` does."""
        following: tuple[str, Mapping[str, str]] | None = listing.path, listing.params
        while following is not None:
            path, params = following
            response = await self._request(Call("GET", path, lambda each: each, params=params), self._retry)
            for item in response.json():
                yield item
            following = next_page(self._base, listing, response)

    @asynccontextmanager
    async def download(self, get_url: GetUrl) -> AsyncIterator[httpx.Response]:
        """Open an object for reading; iterate `aiter_raw()` of the response. Raises ApiError and Unreachable."""
        url = get_url["url"]
        request = self._http.build_request("GET", url, headers={"Accept-Encoding": "identity"})
        try:
            response = await self._http.send(
                request, auth=self._auth(url, get_url.get("presigned", False)), stream=True, follow_redirects=True
            )
        except httpx.TransportError as error:
            raise Unreachable(request, error) from error
        try:
            if response.status_code != 200:
                await response.aread()
                raise api_error(response)
            yield response
        except httpx.TransportError as error:
            raise Unreachable(request, error) from error
        finally:
            await response.aclose()

    async def upload(
        self, slot: Slot, content: AsyncIterator[bytes], size: int, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Upload the bytes of an allocated object, of which there must be `size`. Raises ApiError and Unreachable.

        What `content` raises is raised, and the upload then breaks off, so that the server stores nothing.
        """
        url = slot["put_url"]["url"]
        request = self._http.build_request(
            "PUT",
            url,
            content=content,
            headers=upload_headers(slot, size, headers or {}),
        )
        try:
            response = await self._http.send(request, auth=self._auth(url, slot.get("presigned", False)))
        except httpx.TransportError as error:
            raise Unreachable(request, error) from error
        return check(response, (200, 201, 204))

    async def upload_bytes(self, slot: Slot, media: bytes) -> bool:
        """Upload an allocated object with its MD5. Returns whether the store confirmed a checksum of the bytes.

        If not, `has_bytes` compares them once the object is registered. Raises ApiError and Unreachable.
        """
        digest = digest_of(media)
        headers = {"Content-MD5": base64.b64encode(digest.value("md5")).decode()}
        response = await self.upload(slot, _once(media), len(media), headers)
        confirmed = told(response.headers)
        return digest.is_proven_by(Told(None, confirmed.digests, confirmed.etag))

    async def has_bytes(self, get_url: GetUrl, media: bytes) -> bool:
        """Read an object and compare it. Raises ApiError and Unreachable."""
        found = Digest()
        async with self.download(get_url) as response:
            async for chunk in response.aiter_raw():
                found.update(chunk)
        return found.value("sha-256") == digest_of(media).value("sha-256")

    async def _request(self, call: Call[Any], retry: RetryPolicy) -> httpx.Response:
        attempts = retry.attempts()
        while True:
            try:
                return await self._request_once(call)
            except ClientError as error:
                pause = attempts.pause_after(error, repeatable=call.repeatable)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _request_once(self, call: Call[Any]) -> httpx.Response:
        request = request_of(self._http, call)
        try:
            response = await self._http.send(request, auth=self._credentials, follow_redirects=call.method == "GET")
        except httpx.TransportError as error:
            raise Unreachable(request, error) from error
        return check(response, call.expected)

    def _auth(self, url: str, presigned: bool) -> httpx.Auth | None:
        return self._credentials if takes_credentials(self._base, url, presigned) else None


async def _once(media: bytes) -> AsyncIterator[bytes]:
    yield media
