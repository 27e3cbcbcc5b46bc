"""Sends deliveries to webhooks, one POST each with a timeout, and reports the outcome (DLV-01 to DLV-08)."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress

import httpx

from tams_server.outbound.address_rules import AddressNotAllowed, AddressRules
from tams_server.outbound.connections import HostNotFound, exchange_within
from tams_server.outbound.delivery_outcome import Outcome, no_response, outcome_of_response
from tams_server.outbound.header_rules import is_header_name, is_header_value, is_set_by_server
from tams_server.outbound.target_url import InvalidUrl, read_target
from tams_server.outbound.transport import async_client, closed_without_response

MAX_RESPONSE_BYTES = 4096  # read so that the connection can be reused; a longer response closes it
RESPONSE_BODY_S = 1.0  # timeout for the body once the status is known
IDLE_S = 4.0  # less than servers keep idle connections open: usually 5 seconds or more


class Sender:
    """Posts to receivers, within one event loop.

    Connections are kept open for the next delivery. connections: maximum over all receivers. Callers should have fewer
    posts in progress: the time that a post waits for one of these places counts towards its timeout.
    """

    def __init__(
        self, rules: AddressRules, *, connections: int = 256, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._client = async_client(rules, connections=connections, idle_s=IDLE_S, ssl_context=ssl_context)
        # The pool of httpcore never has to wait: a request whose time ended there could keep a connection for ever.
        self._places = asyncio.Semaphore(connections)

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        key: tuple[str, str] | None = None,
    ) -> Outcome:
        """Send `body` with `headers`, which must include Content-Type. Never raises for a failure of the receiver.

        key: the header that the client chose, if any. It never replaces a header of the server; nothing is sent then.
        timeout_s: for the whole exchange in seconds, from the DNS lookup to the status of the response.
        """
        try:
            return await self._exchange(read_target(url).url, _encode(headers, key), body, timeout_s)
        except (InvalidUrl, httpx.InvalidURL):
            return no_response("refused_url", "The URL is not a valid http or https URL.")
        except AddressNotAllowed:
            return no_response("refused_address", "The address or port of the receiver is not allowed.")
        except _HeaderOfServer:
            return no_response("header", "api_key_name is a header that the server sets itself.")
        except _InvalidHeader:
            return no_response("header", "A header of the delivery is invalid.")
        except (TimeoutError, httpx.TimeoutException):
            return no_response("timeout", f"The receiver did not respond within {timeout_s:g} seconds.")
        except HostNotFound:
            return no_response("lookup", "The name of the receiver has no address at present.")
        except httpx.RemoteProtocolError as error:
            return _protocol_failure(error)
        except httpx.TransportError as error:
            return _connection_failure(error)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _exchange(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes, timeout_s: float) -> Outcome:
        ends = time.monotonic() + timeout_s
        async with asyncio.timeout(timeout_s):
            await self._places.acquire()
        try:
            return await self._send(url, headers, body, ends - time.monotonic())
        finally:
            self._places.release()

    async def _send(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes, timeout_s: float) -> Outcome:
        timeout = httpx.Timeout(None, connect=timeout_s)
        with exchange_within(timeout_s):
            async with self._client.stream("POST", url, headers=headers, content=body, timeout=timeout) as response:
                outcome = outcome_of_response(response.status_code, response.headers.get("Retry-After"))
                # The status decides, whatever happens to the body. If it is late, the connection is not reused.
                with exchange_within(RESPONSE_BODY_S), suppress(httpx.TransportError):
                    await _read_short_body(response)
                return outcome


async def _read_short_body(response: httpx.Response) -> None:
    """Read a short response to its end."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            return


class _InvalidHeader(Exception):
    """A header that HTTP/1.1 cannot carry. Does not contain its value, which may be secret."""


class _HeaderOfServer(Exception):
    """The key of a webhook, of an earlier release, has the name of a header of the server."""


def _encode(headers: Mapping[str, str], key: tuple[str, str] | None) -> list[tuple[bytes, bytes]]:
    if key is not None:
        if is_set_by_server(key[0]) or key[0].lower() in map(str.lower, headers):
            raise _HeaderOfServer
        headers = {**headers, key[0]: key[1]}
    if not all(is_header_name(name) and is_header_value(value) for name, value in headers.items()):
        raise _InvalidHeader
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]


def _protocol_failure(error: httpx.RemoteProtocolError) -> Outcome:
    if closed_without_response(error):
        return no_response("connection", "The receiver closed the connection without a response.")
    return no_response("bad_answer", "The response of the receiver was not HTTP.")


def _connection_failure(error: BaseException) -> Outcome:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return no_response("tls", "No secure connection to the receiver could be established.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return no_response("connection", "No connection to the receiver could be established.")
    return no_response("connection", "The connection to the receiver broke.")
