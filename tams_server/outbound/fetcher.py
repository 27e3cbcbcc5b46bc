"""Downloads media from URLs that this server does not control, subject to the address rules."""

import contextlib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from storage import error_codes
from storage.errors import Invalid, Unavailable
from tams_server.outbound.address_rules import AddressNotAllowed, AddressRules
from tams_server.outbound.connections import CONNECT_S, HostNotFound, MinimumRate
from tams_server.outbound.target_url import InvalidUrl, Target, read_target
from tams_server.outbound.transport import sync_client

IDLE_S = 30.0
MIN_BYTES_PER_S = 16384.0
TIMEOUT_S = 3600.0
_TEMPORARY_STATUSES = frozenset({408, 425, 429})  # beside 5xx


@dataclass(frozen=True, slots=True)
class Download:
    """A download in progress. size: in bytes. size and content_type are as declared by the source, or None."""

    size: int | None
    content_type: str | None
    _url: str = field(repr=False)
    _response: httpx.Response = field(repr=False)
    _max_bytes: int | None = field(repr=False)
    _deadline: float = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, once, in chunks of up to 64 KiB.

        Raises Unavailable if the transfer breaks, stalls, ends before `size` or takes too long, and Invalid for more
        bytes than the maximum.
        """
        received = 0
        with _storage_errors(self._url):
            for chunk in self._response.iter_raw():
                received += len(chunk)
                _check_size(received, self._max_bytes, self._url)
                if time.monotonic() > self._deadline:
                    raise Unavailable(f"the transfer from {self._url} takes longer than permitted", field="url")
                yield chunk


class Fetcher:
    """Opens downloads, from any thread.

    idle_s: a download fails after this many seconds without a byte. It also fails if, after this time, it has averaged
    less than MIN_BYTES_PER_S. timeout_s: the longest that a whole download may take, whatever its rate.
    """

    def __init__(
        self,
        rules: AddressRules,
        *,
        idle_s: float = IDLE_S,
        timeout_s: float = TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        timeout = httpx.Timeout(idle_s, connect=min(CONNECT_S, idle_s))
        min_rate = MinimumRate(MIN_BYTES_PER_S, grace_s=idle_s)
        self._client = sync_client(rules, timeout=timeout, ssl_context=ssl_context, min_rate=min_rate)

    @contextlib.contextmanager
    def open(self, url: str, *, max_bytes: int | None = None) -> Iterator[Download]:
        """GET `url`, and close the connection after the block.

        Raises Invalid if the URL is not allowed, or if the response is not 200 or larger than `max_bytes`. Raises
        Unavailable for failures that may be temporary.
        """
        try:
            target = read_target(url)
        except InvalidUrl as error:
            raise Invalid(f"url {error}", code=error_codes.URL_NOT_ACCEPTED, field="url") from None
        deadline = time.monotonic() + self._timeout_s
        with contextlib.ExitStack() as stack:
            with _storage_errors(target.without_query):
                response = stack.enter_context(self._client.stream("GET", target.url))
            yield _download(response, target, max_bytes, deadline)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def _download(response: httpx.Response, target: Target, max_bytes: int | None, deadline: float) -> Download:
    status = response.status_code
    if status >= 500 or status in _TEMPORARY_STATUSES:
        raise Unavailable(f"the source {target.without_query} responded with {status}", field="url")
    if status != 200:
        rule = "; redirects are not followed" if 300 <= status < 400 else " instead of 200"
        raise Invalid(
            f"the source {target.without_query} responded with {status}{rule}",
            code=error_codes.COPY_FAILED,
            field="url",
        )
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity", "aws-chunked"):  # S3 keeps "aws-chunked" from some uploads
        raise Invalid(
            f"the source {target.without_query} applies a content encoding to its bytes",
            code=error_codes.COPY_FAILED,
            field="url",
        )
    length = response.headers.get("Content-Length")
    size = int(length) if length is not None and "Transfer-Encoding" not in response.headers else None
    _check_size(size or 0, max_bytes, target.without_query)
    content_type = response.headers.get("Content-Type") or None
    return Download(size, content_type, target.without_query, response, max_bytes, deadline)


def _check_size(size: int, maximum: int | None, url: str) -> None:
    if maximum is not None and size > maximum:
        raise Invalid(f"the source {url} sends more than {maximum} bytes", code=error_codes.COPY_FAILED, field="url")


@contextlib.contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    """Convert failures of the network to Invalid or Unavailable."""
    try:
        yield
    except AddressNotAllowed as error:
        raise Invalid(f"url {error}", code=error_codes.URL_NOT_ACCEPTED, field="url") from None
    except httpx.InvalidURL:
        raise Invalid(f"url {url} is not a well-formed URL", code=error_codes.URL_NOT_ACCEPTED, field="url") from None
    except httpx.TimeoutException:
        raise Unavailable(f"the source {url} sends no data, or sends it too slowly", field="url") from None
    except httpx.TransportError as error:
        raise Unavailable(f"the transfer from {url} failed: {_failure_reason(error)}", field="url") from None


def _failure_reason(error: httpx.TransportError) -> str:
    if isinstance(error, HostNotFound):
        return "its name has no address at present"
    if isinstance(error, httpx.ConnectError):
        return "no connection could be established"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it ended prematurely, or was not HTTP"
    return "the connection broke"
