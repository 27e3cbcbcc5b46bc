"""Small JSON documents of servers that the operator names, such as the keys of an issuer of tokens."""

import ssl
from pathlib import Path
from typing import Any, Final

import orjson

from storage.errors import Unavailable
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.fetcher import Fetcher

MAX_BYTES: Final = 512 * 2**10
IDLE_S: Final = 5.0
TIMEOUT_S: Final = 10.0
_ANYWHERE: Final = ("0.0.0.0/0", "::/0")
"""The operator chose the server: unlike the URLs of clients, it may be in a private network."""


class DocumentFetcher:
    """ca_file: certificates that vouch for the server, instead of those of the system. Raises ValueError for them."""

    def __init__(self, ca_file: Path | None = None) -> None:
        try:
            context = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise ValueError(f"{ca_file}: {error}") from None
        self._fetcher = Fetcher(AddressRules(_ANYWHERE), idle_s=IDLE_S, timeout_s=TIMEOUT_S, ssl_context=context)

    def fetch(self, url: str) -> Any:
        """Return the document at `url`. Follows no redirect.

        Raises storage.errors.Invalid or Unavailable for whatever is not a response 200 with a JSON document of at most
        512 KiB within ten seconds.
        """
        with self._fetcher.open(url, max_bytes=MAX_BYTES) as download:
            raw = b"".join(download.chunks())
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Unavailable(f"{url} is not a JSON document: {error}") from None

    def close(self) -> None:
        """Close all connections."""
        self._fetcher.close()
