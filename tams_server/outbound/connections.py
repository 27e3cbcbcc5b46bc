"""TCP connections to allowed addresses only (DLV-06, DLV-07), for the connection pools of httpcore.

Each connection looks its host up once, checks every address, and connects to one of them by number, so that a second
lookup cannot give another result (DNS rebinding). The Host header, TLS server name and certificate check still use the
name.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.dns_lookups import DnsLookupFailed

CONNECT_S = 10.0  # default timeout
_MAX_ADDRESSES = 4  # tried for one connection


MOST_RECEIVED = 256 * 1024
"""Bytes that an exchange may receive: far more than the headers and the short body of a response to an event."""


@dataclass(slots=True)
class _Exchange:
    """What is left of the exchange of a task. ends: by the monotonic clock. receives: bytes."""

    ends: float
    receives: int

    def wait_s(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float:
        """The timeout of one wait: what is left of the exchange, if that is less. Raises `error` if nothing is."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise error("the time of the exchange is over")
        return left if timeout is None else min(left, timeout)


_exchange: ContextVar[_Exchange | None] = ContextVar("_exchange", default=None)


@contextmanager
def exchange_within(seconds: float) -> Iterator[None]:
    """Have all waits for a connection or for data within the block end after so many seconds, or MOST_RECEIVED bytes.

    They then raise a timeout or a RemoteProtocolError of httpcore. Not so a task that is cancelled: httpcore would keep
    a connection for ever whose request was cancelled while it waited for one of its locks.
    """
    outer, ends = _exchange.get(), time.monotonic() + seconds
    inner = _Exchange(ends, MOST_RECEIVED) if outer is None else _Exchange(min(outer.ends, ends), outer.receives)
    token = _exchange.set(inner)
    try:
        yield
    finally:
        _exchange.reset(token)


class HostNotFound(httpx.ConnectError):
    """The name has no address at present."""


@dataclass(frozen=True, slots=True)
class MinimumRate:
    """Minimum average rate of a download, enforced once `grace_s` seconds have been spent waiting for data."""

    bytes_per_s: float
    grace_s: float


class CheckedBackend(httpcore.NetworkBackend):
    """Connects for the synchronous client."""

    def __init__(self, rules: AddressRules, min_rate: MinimumRate | None = None) -> None:
        self._rules = rules
        self._min_rate = min_rate
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within `timeout` seconds, including the lookup.

        Raises AddressNotAllowed, HostNotFound and the exceptions of httpcore.
        """
        deadline = _deadline(timeout)
        try:
            addresses = self._rules.allowed_addresses(host, port, _remaining_s(deadline))[:_MAX_ADDRESSES]
        except DnsLookupFailed as error:
            raise HostNotFound(str(error)) from None
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            share = _remaining_s(deadline) / (others + 1)
            try:
                stream = self._sockets.connect_tcp(str(address), port, share, local_address, socket_options)
                return RateCheckedStream(stream, self._min_rate) if self._min_rate else stream
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.UnsupportedProtocol("Unix sockets are not supported")


class AsyncCheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects for the asynchronous client."""

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
        """Like CheckedBackend.connect_tcp, and within the time of the exchange."""
        exchange = _exchange.get()
        deadline = _deadline(timeout if exchange is None else exchange.wait_s(timeout, httpcore.ConnectTimeout))
        try:
            addresses = (await self._rules.allowed_addresses_async(host, port, _remaining_s(deadline)))[:_MAX_ADDRESSES]
        except DnsLookupFailed as error:
            raise HostNotFound(str(error)) from None
        for others, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
            share = _remaining_s(deadline) / (others + 1)
            try:
                return BoundedStream(
                    await self._sockets.connect_tcp(str(address), port, share, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not others:
                    raise
        raise httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.UnsupportedProtocol("Unix sockets are not supported")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + (CONNECT_S if timeout is None else timeout)


def _remaining_s(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection on which an exchange takes no longer, and receives no more, than it may (exchange_within)."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        exchange = _exchange.get()
        if exchange is None:
            return await self._stream.read(max_bytes, timeout)
        data = await self._stream.read(max_bytes, exchange.wait_s(timeout, httpcore.ReadTimeout))
        exchange.receives -= len(data)
        if exchange.receives < 0:
            raise httpcore.RemoteProtocolError("the response is too long")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        exchange = _exchange.get()
        wait_s = timeout if exchange is None else exchange.wait_s(timeout, httpcore.WriteTimeout)
        await self._stream.write(buffer, wait_s)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        exchange = _exchange.get()
        wait_s = timeout if exchange is None else exchange.wait_s(timeout, httpcore.ConnectTimeout)
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, wait_s))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class RateCheckedStream(httpcore.NetworkStream):
    """A connection that times out if data arrives more slowly than the minimum rate."""

    def __init__(self, stream: httpcore.NetworkStream, minimum: MinimumRate) -> None:
        self._stream = stream
        self._minimum = minimum
        self._waited_s = 0.0
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        started = time.monotonic()
        data = self._stream.read(max_bytes, timeout)
        self._waited_s += time.monotonic() - started
        self._received += len(data)
        required = self._minimum.bytes_per_s * self._waited_s
        if data and self._waited_s > self._minimum.grace_s and self._received < required:
            raise httpcore.ReadTimeout("too slow")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return RateCheckedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._minimum)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
