"""HTTP clients that connect to permitted addresses only: what is checked is what is connected to (DLV-06, DLV-07).

Each connection looks its host up once, checks every address and connects to one of these as a number, so that no second
lookup can tell something else. The Host header, the name told to TLS and the certificate's check keep the name. The
clients follow no redirect, keep no cookie, send no credential of their own, and read no setting of proxies or netrc.
"""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.dns_lookups import Unresolved

USER_AGENT = "tams-server"
CONNECT_S = 10.0  # where the caller sets no other limit
_MOST_DOWNLOADS = 64  # at once
_MOST_ADDRESSES = 4  # tried for one connection


class NotResolved(httpx.ConnectError):
    """The name has no address now."""


def sync_client(
    rules: AddressRules,
    *,
    timeout: httpx.Timeout,
    ssl_context: ssl.SSLContext | None = None,
    slowest: "Pace | None" = None,
) -> httpx.Client:
    """A client for downloads, one connection each. slowest: how slowly answers may come."""
    backend = CheckedBackend(rules, slowest)
    pool = httpcore.ConnectionPool(
        ssl_context=ssl_context or httpx.create_ssl_context(),
        max_connections=_MOST_DOWNLOADS,
        max_keepalive_connections=0,
        network_backend=backend,
    )
    return httpx.Client(
        transport=_Transport(pool), timeout=timeout, headers=_headers(), cookies=_no_cookies(), trust_env=False
    )


def async_client(
    rules: AddressRules, *, connections: int, idle_s: float, ssl_context: ssl.SSLContext | None = None
) -> httpx.AsyncClient:
    """A client for many short requests, without timeouts but for connecting.

    connections: at most so many at once, idle ones included; idle_s: an idle one is kept for so long.
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
        headers=_headers(),
        cookies=_no_cookies(),
        trust_env=False,
    )


def _headers() -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}


def _no_cookies() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


class Pace:
    """The least that a sender must send: `rate` bytes a second on average, once `grace_s` seconds were waited for."""

    def __init__(self, rate: float, grace_s: float) -> None:
        self.rate = rate
        self.grace_s = grace_s


class CheckedBackend(httpcore.NetworkBackend):
    """Connections of the synchronous client."""

    def __init__(self, rules: AddressRules, slowest: Pace | None = None) -> None:
        self._rules = rules
        self._slowest = slowest
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within `timeout` seconds, lookup included. Raises RefusedAddress, NotResolved, and httpcore's."""
        until = _deadline(timeout)
        try:
            addresses = self._rules.permitted(host, port, _left(until))[:_MOST_ADDRESSES]
        except Unresolved as error:
            raise NotResolved(str(error)) from None
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            share = _left(until) / (others + 1)
            try:
                stream = self._sockets.connect_tcp(str(address), port, share, local_address, socket_options)
                return PacedStream(stream, self._slowest) if self._slowest else stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.UnsupportedProtocol("sockets of this machine are not connected to")


class AsyncCheckedBackend(httpcore.AsyncNetworkBackend):
    """Connections of the asynchronous client."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As that of CheckedBackend."""
        until = _deadline(timeout)
        try:
            addresses = (await self._rules.permitted_async(host, port, _left(until)))[:_MOST_ADDRESSES]
        except Unresolved as error:
            raise NotResolved(str(error)) from None
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            share = _left(until) / (others + 1)
            try:
                return await self._sockets.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("sockets of this machine are not connected to")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + (CONNECT_S if timeout is None else timeout)


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


class PacedStream(httpcore.NetworkStream):
    """A connection that fails as timed out when less comes than its pace asks for, a few bytes at a time or not."""

    def __init__(self, stream: httpcore.NetworkStream, pace: Pace) -> None:
        self._stream = stream
        self._pace = pace
        self._waited_s = 0.0
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        started = time.monotonic()
        data = self._stream.read(max_bytes, timeout)
        self._waited_s += time.monotonic() - started
        self._received += len(data)
        if data and self._waited_s > self._pace.grace_s and self._received < self._pace.rate * self._waited_s:
            raise httpcore.ReadTimeout("too slow")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return PacedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._pace)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextlib.contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """httpx has an exception of the same name for each of httpcore."""
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


def _kept(answer: httpcore.Response) -> list[tuple[bytes, bytes]]:
    """The headers without Location, so that nothing can follow it, nor stumble over what it says."""
    return [(name, value) for name, value in answer.headers if name.lower() != b"location"]


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _Transport(httpx.BaseTransport):
    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _errors_of_httpx():
            answer = self._pool.handle_request(_to_httpcore(request))
        return httpx.Response(answer.status, headers=_kept(answer), stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _errors_of_httpx():
            answer = await self._pool.handle_async_request(_to_httpcore(request))
        return httpx.Response(answer.status, headers=_kept(answer), stream=_AsyncBody(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()
