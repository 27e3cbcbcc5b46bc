"""Sends deliveries to webhooks: one POST each, within a time, and tells what came of it (DLV-01 to -08)."""

import asyncio
import ssl
from collections.abc import Mapping

import httpx

from tams_server.outbound.address_rules import AddressRules, RefusedAddress
from tams_server.outbound.delivery_outcome import Outcome, answered, failed
from tams_server.outbound.header_rules import is_header_name, is_header_value
from tams_server.outbound.target_url import BadUrl, read_target
from tams_server.outbound.transport import NotResolved, async_client

MOST_ANSWER = 4096  # bytes of an answer that are read, so that its connection can be used again; longer ones are cut
ANSWER_S = 1.0  # how long the rest of an answer is waited for once its status is known
IDLE_S = 4.0  # shorter than servers keep idle connections, most of them for 5 seconds or more


class Sender:
    """Posts to receivers. For one event loop; any number of posts at once, of which `connections` have a connection.

    Connections to a receiver are kept for its next delivery. connections: the most, over all receivers; whoever
    calls keeps fewer posts under way, since the others wait, and that counts as their time.
    """

    def __init__(
        self, rules: AddressRules, *, connections: int = 256, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._client = async_client(rules, connections=connections, idle_s=IDLE_S, ssl_context=ssl_context)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Outcome:
        """Send `body` with `headers` as they are, Content-Type among them. Never raises for what the receiver does.

        timeout_s: seconds for everything, from the lookup to the status of the answer.
        """
        try:
            return await self._exchange(read_target(url).url, _raw(headers), body, timeout_s)
        except (BadUrl, httpx.InvalidURL):
            return failed("refused_url", "The URL is not one that deliveries are sent to.")
        except RefusedAddress:
            return failed("refused_address", "The receiver is at an address or port that deliveries are not sent to.")
        except _BadHeader:
            return failed("header", "A header of the delivery cannot be sent.")
        except (TimeoutError, httpx.TimeoutException):
            return failed("timeout", f"The receiver did not answer within {timeout_s:g} seconds.")
        except NotResolved:
            return failed("lookup", "The receiver's name has no address at the moment.")
        except httpx.RemoteProtocolError as error:
            return _broken_answer(error)
        except httpx.TransportError as error:
            return _no_connection(error)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _exchange(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes, timeout_s: float) -> Outcome:
        started = asyncio.get_running_loop().time()
        connecting = httpx.Timeout(None, connect=timeout_s)
        async with (
            asyncio.timeout_at(started + timeout_s) as limit,
            self._client.stream("POST", url, headers=headers, content=body, timeout=connecting) as response,
        ):
            outcome = answered(response.status_code, response.headers.get("Retry-After"))
            limit.reschedule(None)  # what was answered stands, however the rest comes
            try:
                async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + ANSWER_S, started + timeout_s)):
                    await _drop(response)
            except (TimeoutError, httpx.TransportError):
                pass  # the connection is not used again
            return outcome


async def _drop(response: httpx.Response) -> None:
    """Read an answer to its end, if that is near."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > MOST_ANSWER:
            return


class _BadHeader(Exception):
    """A header that HTTP/1.1 cannot carry. Without its value, which may be secret."""


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    if not all(is_header_name(name) and is_header_value(value) for name, value in headers.items()):
        raise _BadHeader
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]


def _broken_answer(error: httpx.RemoteProtocolError) -> Outcome:
    if "disconnected" in str(error):
        return failed("connection", "The receiver closed the connection before it answered.")
    return failed("bad_answer", "The receiver's answer was not HTTP.")


def _no_connection(error: BaseException) -> Outcome:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return failed("tls", "No secure connection to the receiver could be made.")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return failed("connection", "No connection to the receiver could be made.")
    return failed("connection", "The connection to the receiver broke.")
