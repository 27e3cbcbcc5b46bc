"""Quotas of uploads and allocations of each principal within a time, counted for all processes of a server together.

A quota is a bucket that fills evenly, from empty to full in the time of the setting. What a request takes beyond the
rest is owed: it is permitted while at least one unit is left.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tams_server.quotas.quota_rules import QuotaRules
from tams_server.quotas.rate_fields import Informed, Unit, inform, require
from tams_server.quotas.shared_buckets import SharedBuckets

Release = Callable[[int], None]


class PrincipalQuotas:
    """The quotas of the rules. Must be made before processes are forked.

    limit_uploads, limit_allocations: whether there is anything to check.
    """

    def __init__(self, rules: QuotaRules) -> None:
        self._rules = rules
        self._uploads = SharedBuckets(rules.window_s)
        self._bytes = SharedBuckets(rules.window_s)
        self._allocations = SharedBuckets(rules.window_s)
        self.limit_uploads = rules.limit("uploads", "upload_bytes")
        self.limit_allocations = rules.limit("allocations")

    @contextmanager
    def allocation(self, request: Informed, principal: str, objects: int) -> Iterator[Release]:
        """Count the objects that are allocated in the block, unless it raises. Raises TooManyRequests.

        The block may release some of them, which have not been allocated.
        """
        quota = self._rules.of(principal).allocations
        if quota is None:
            yield lambda _unused: None
            return
        self._take(request, self._allocations, "allocations", principal, quota, objects)
        try:
            yield lambda unused: self._allocations.adjust(principal, quota, -unused)
        except BaseException:
            self._allocations.adjust(principal, quota, -objects)
            raise

    def begin_upload(self, request: Informed, principal: str, announced: int) -> "UploadAccount":
        """Count an upload. announced: its bytes, as far as they are known. Raises TooManyRequests."""
        quotas = self._rules.of(principal)
        if quotas.uploads is not None:
            self._take(request, self._uploads, "uploads", principal, quotas.uploads)
        if quotas.upload_bytes is None:
            return UploadAccount(None, principal, 0, 0)
        try:
            self._take(request, self._bytes, "upload-bytes", principal, quotas.upload_bytes, announced, "content-bytes")
        except BaseException:
            if quotas.uploads is not None:
                self._uploads.adjust(principal, quotas.uploads, -1)
            raise
        return UploadAccount(self._bytes, principal, quotas.upload_bytes, announced)

    def _take(
        self,
        request: Informed,
        buckets: SharedBuckets,
        policy: str,
        principal: str,
        quota: int,
        units: int = 1,
        unit: Unit = "requests",
    ) -> None:
        verdict = buckets.take(principal, quota, units)
        inform(request, policy, quota, buckets.window_s, verdict, unit)
        what = "bytes of uploads" if unit == "content-bytes" else policy
        require(verdict, f"{principal} has used its quota of {quota} {what} in {buckets.window_s:g} s")


class UploadAccount:
    """The bytes of one upload, of which those announced are counted from its beginning."""

    def __init__(self, buckets: SharedBuckets | None, principal: str, quota: int, announced: int) -> None:
        self._buckets = buckets
        self._principal = principal
        self._quota = quota
        self._counted = announced

    def receive(self, received: int) -> None:
        """Count the bytes received so far, as far as they are more than were announced."""
        if received > self._counted:
            self.end(received)

    def end(self, received: int) -> None:
        """Count the bytes that were received instead of those announced."""
        if self._buckets is not None and received != self._counted:
            self._buckets.adjust(self._principal, self._quota, received - self._counted)
            self._counted = received
