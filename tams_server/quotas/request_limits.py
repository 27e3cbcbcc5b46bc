"""Limits on the requests of a caller and of an address: a rate and a number at a time, shared by all processes.

Responses inform clients where they stand (tams_server.quotas.rate_fields).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tams_server.errors import TooManyRequests
from tams_server.quotas.rate_fields import Informed, inform, require
from tams_server.quotas.shared_buckets import SharedBuckets
from tams_server.quotas.shared_counts import SharedCounts
from tams_server.settings import Settings

_SPARE_PROCESSES = 32
"""Columns for processes that are being replaced, and for those of a server without a number of its own."""


class RequestLimits:
    """The limits of the settings. Must be made before processes are forked.

    limit_addresses, limit_callers: whether there is anything to check.
    """

    def __init__(self, settings: Settings) -> None:
        self._caller_rate = settings.rate_limit
        self._address_rate = settings.rate_limit_per_address
        self._concurrent = settings.concurrent_requests
        self._callers = SharedBuckets()
        self._addresses = SharedBuckets()
        self._running = SharedCounts(2 * (settings.workers or 0) + _SPARE_PROCESSES) if self._concurrent else None
        self.limit_addresses = self._address_rate is not None
        self.limit_callers = self._caller_rate is not None or self._concurrent is not None

    def check_address(self, request: Informed, address: str) -> None:
        """Count a request. Raises TooManyRequests. address: "" if it is unknown, which is not limited."""
        if self._address_rate is not None and address:
            _take(request, self._addresses, "address", address, self._address_rate)

    def check_caller(self, request: Informed, caller: str) -> None:
        """Count a request of a caller. Raises TooManyRequests."""
        if self._caller_rate is not None:
            _take(request, self._callers, "caller", caller, self._caller_rate)

    @contextmanager
    def request_of(self, request: Informed, caller: str) -> Iterator[None]:
        """Count a request of a caller, for the duration of the block. Raises TooManyRequests."""
        self.check_caller(request, caller)
        most = self._concurrent
        if most is None or self._running is None:
            yield
            return
        with self._running.one(caller, most) as permitted:
            if not permitted:
                request.rate_limits += (
                    (b"ratelimit-policy", b'"concurrent";q=%d;qu="concurrent-requests"' % most),
                    (b"ratelimit", b'"concurrent";r=0'),
                )
                message = f"{caller} has {most} requests in progress, which is the limit"
                raise TooManyRequests(message, headers={"Retry-After": "1"})
            yield


def _take(request: Informed, buckets: SharedBuckets, policy: str, key: str, rate: int) -> None:
    verdict = buckets.take(key, rate)
    inform(request, policy, rate, buckets.window_s, verdict)
    require(verdict, f"more than {rate} requests a second of this {policy}")
