"""Downloads the bytes behind a URL that this server does not control, to copy them (under the rules of addresses)."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from storage.errors import Invalid, Unavailable
from tams_server.outbound.address_rules import AddressRules, RefusedAddress
from tams_server.outbound.target_url import BadUrl, Target, read_target
from tams_server.outbound.transport import CONNECT_S, NotResolved, Pace, sync_client

IDLE_S = 30.0
SLOWEST_BYTES_PER_S = 16384.0
_LATER = frozenset({408, 425, 429})  # and 5xx: statuses that may pass


@dataclass(frozen=True, slots=True)
class Download:
    """A download that has begun. size: bytes, or None where the source does not tell; content_type as it tells."""

    size: int | None
    content_type: str | None
    _shown: str = field(repr=False)
    _response: httpx.Response = field(repr=False)
    _most: int | None = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in parts of up to 64 KiB, once. Raises Unavailable for a transfer that breaks, stops or ends
        before `size`, and Invalid for more bytes than were asked for."""
        received = 0
        with _told(self._shown):
            for chunk in self._response.iter_raw():
                received += len(chunk)
                _check_size(received, self._most, self._shown)
                yield chunk


class Fetcher:
    """Opens downloads; from any thread.

    idle_s: seconds without a byte after which a download fails; it fails too when it brings less than 16 KiB a second
    over longer than that.
    """

    def __init__(
        self, rules: AddressRules, *, idle_s: float = IDLE_S, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        timeout = httpx.Timeout(idle_s, connect=min(CONNECT_S, idle_s))
        slowest = Pace(SLOWEST_BYTES_PER_S, idle_s)
        self._client = sync_client(rules, timeout=timeout, ssl_context=ssl_context, slowest=slowest)

    @contextlib.contextmanager
    def open(self, url: str, *, most_bytes: int | None = None) -> Iterator[Download]:
        """GET `url`; the connection is closed on leaving.

        Raises Invalid where it is not to be called, answers with another status than 200 or with more than
        `most_bytes`, and Unavailable where it may work later.
        """
        try:
            target = read_target(url)
        except BadUrl as error:
            raise Invalid(f"url {error}", field="url") from None
        with contextlib.ExitStack() as stack:
            with _told(target.shown):
                response = stack.enter_context(self._client.stream("GET", target.url))
            yield _download(response, target, most_bytes)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def _download(response: httpx.Response, target: Target, most_bytes: int | None) -> Download:
    status = response.status_code
    if status >= 500 or status in _LATER:
        raise Unavailable(f"the source {target.shown} answered {status}", field="url")
    if status != 200:
        rule = "; redirects are not followed" if 300 <= status < 400 else ", and only 200 brings its bytes"
        raise Invalid(f"the source {target.shown} answered {status}{rule}", field="url")
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity", "aws-chunked"):  # the last one is left over in S3 from some uploads
        raise Invalid(f"the source {target.shown} sends its bytes encoded, though not asked to", field="url")
    length = response.headers.get("Content-Length")
    size = int(length) if length is not None and "Transfer-Encoding" not in response.headers else None
    _check_size(size or 0, most_bytes, target.shown)
    return Download(size, response.headers.get("Content-Type") or None, target.shown, response, most_bytes)


def _check_size(size: int, most: int | None, shown: str) -> None:
    if most is not None and size > most:
        raise Invalid(f"the source {shown} sends more than {most} bytes", field="url")


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    """Turn failures of the network into refusals."""
    try:
        yield
    except RefusedAddress as error:
        raise Invalid(f"url {error}", field="url") from None
    except httpx.InvalidURL:
        raise Invalid(f"url {shown} is not a well-formed URL", field="url") from None
    except httpx.TimeoutException:
        raise Unavailable(f"the source {shown} sends nothing, or too slowly", field="url") from None
    except httpx.TransportError as error:
        raise Unavailable(f"the transfer from {shown} failed: {_why(error)}", field="url") from None


def _why(error: httpx.TransportError) -> str:
    if isinstance(error, NotResolved):
        return "its name has no address at the moment"
    if isinstance(error, httpx.ConnectError):
        return "no connection could be made"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it ended before its end, or was not HTTP"
    return "the connection broke"
