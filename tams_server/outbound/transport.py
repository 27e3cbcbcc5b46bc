"""HTTP clients that connect to allowed addresses only (DLV-06, DLV-07).

They follow no redirects, keep no cookies, and ignore proxy settings and netrc.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.connections import CONNECT_S, AsyncCheckedBackend, CheckedBackend, MinimumRate

USER_AGENT = "tams-server"
_MAX_DOWNLOADS = 64  # at once
_DISCONNECTED = "disconnected"  # in the message of httpcore for a connection closed before any response


def sync_client(
    rules: AddressRules,
    *,
    timeout: httpx.Timeout,
    ssl_context: ssl.SSLContext | None = None,
    min_rate: MinimumRate | None = None,
) -> httpx.Client:
    """Return a client for downloads, with one connection each."""
    backend = CheckedBackend(rules, min_rate)
    pool = httpcore.ConnectionPool(
        ssl_context=ssl_context or httpx.create_ssl_context(),
        max_connections=_MAX_DOWNLOADS,
        max_keepalive_connections=0,
        network_backend=backend,
    )
    return httpx.Client(
        transport=_Transport(pool), timeout=timeout, headers=_default_headers(), cookies=_no_cookies(), trust_env=False
    )


def async_client(
    rules: AddressRules, *, connections: int, idle_s: float, ssl_context: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """Return a client for many short requests, with a timeout for connecting only.

    connections: maximum, including idle ones. idle_s: seconds for which an idle connection is kept.
    """
    pool = httpcore.AsyncConnectionPool(
        ssl_context=ssl_context or httpx.create_ssl_context(),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=idle_s,
        network_backend=AsyncCheckedBackend(rules),
    )
    return httpx.AsyncClient(
        transport=_AsyncTransport(pool),
        timeout=httpx.Timeout(None, connect=CONNECT_S),
        headers=_default_headers(),
        cookies=_no_cookies(),
        trust_env=False,
    )


def _default_headers() -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}


def _no_cookies() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


@contextlib.contextmanager
def _httpx_errors() -> Iterator[None]:
    """Convert exceptions of httpcore to those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as e:
        raise getattr(httpx, type(e).__name__, httpx.TransportError)(str(e)) from e


def _to_httpcore(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _headers_without_location(response: httpcore.Response) -> list[tuple[bytes, bytes]]:
    """Drop Location: redirects are not followed, and httpx would fail on an invalid one."""
    return [(name, value) for name, value in response.headers if name.lower() != b"location"]


def closed_without_response(error: httpx.RemoteProtocolError) -> bool:
    """Return whether the server closed the connection before any response, rather than sent something invalid."""
    return _DISCONNECTED in str(error)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Transport(httpx.BaseTransport):
    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _httpx_errors():
            response = self._pool.handle_request(_to_httpcore(request))
        return httpx.Response(response.status, headers=_headers_without_location(response), stream=_Body(response))

    def close(self) -> None:
        self._pool.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _httpx_errors():
            response = await self._pool.handle_async_request(_to_httpcore(request))
        return httpx.Response(response.status, headers=_headers_without_location(response), stream=_AsyncBody(response))

    async def aclose(self) -> None:
        await self._pool.aclose()
