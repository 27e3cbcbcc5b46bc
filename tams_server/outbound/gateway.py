"""How the catalogue reaches other servers (storage.catalog.remote_servers.Outbound)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.header_rules import check_header

if TYPE_CHECKING:
    from tams_server.outbound.fetcher import Download, Fetcher


class Gateway:
    """Checks and makes requests to other servers.

    max_bytes: size limit of a download; None: unlimited. timeout_s: of a whole download.
    """

    def __init__(self, rules: AddressRules, *, max_bytes: int | None = None, timeout_s: float = 3600) -> None:
        self._rules = rules
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._fetcher: Fetcher | None = None

    def check_url(self, url: str, field: str) -> None:
        """Raise storage.errors.Invalid for a URL that must not be called (HOOK-POST-08)."""
        self._rules.check_url(url, field)

    def check_header(self, name: str, value: str) -> None:
        """Raise storage.errors.Invalid for a header that must not be sent (HOOK-POST-14)."""
        check_header(name, value)

    @contextmanager
    def open(self, url: str) -> "Iterator[Download]":
        """Download `url`. Raises storage.errors.Invalid or Unavailable."""
        with self._client().open(url, max_bytes=self._max_bytes) as download:
            yield download

    def _client(self) -> "Fetcher":
        """Create the client at the first download: few servers make one, and importing its library is slow."""
        with self._lock:
            if self._fetcher is None:
                from tams_server.outbound.fetcher import Fetcher

                self._fetcher = Fetcher(self._rules, timeout_s=self._timeout_s)
            return self._fetcher
