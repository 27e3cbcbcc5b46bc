"""How the catalogue reaches other servers (storage.catalog.outbound.Outbound)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.header_rules import check_header

if TYPE_CHECKING:
    from tams_server.outbound.fetcher import Download, Fetcher


class Gateway:
    """most_bytes: the largest download; None for no limit."""

    def __init__(self, rules: AddressRules, *, most_bytes: int | None = None) -> None:
        self._rules = rules
        self._most_bytes = most_bytes
        self._making = threading.Lock()
        self._fetcher: Fetcher | None = None

    def check_url(self, url: str, field: str) -> None:
        """Raises storage.errors.Invalid for a URL that must not be reached (HOOK-POST-08)."""
        self._rules.check_url(url, field)

    def check_header(self, name: str, value: str) -> None:
        """Raises storage.errors.Invalid for a header that must not be sent (HOOK-POST-14)."""
        check_header(name, value)

    @contextmanager
    def open(self, url: str) -> "Iterator[Download]":
        """Get what is at `url`. Raises storage.errors.Invalid or Unavailable."""
        with self._client().open(url, most_bytes=self._most_bytes) as download:
            yield download

    def _client(self) -> "Fetcher":
        """Made with the first download, since few servers ever make one and its library takes long to load."""
        with self._making:
            if self._fetcher is None:
                from tams_server.outbound.fetcher import Fetcher

                self._fetcher = Fetcher(self._rules)
            return self._fetcher
