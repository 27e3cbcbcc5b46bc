"""Limits on the head of a request and on its query. docs/limits.md lists all limits."""

from typing import Final

TARGET_BYTES: Final = 16 * 1024
"""The longest request target: path and query, percent-encoded. Longer ones get 414."""

HEADER_BYTES: Final = 32 * 1024
"""All header lines of a request together. More gets 431."""

HEADER_LINES: Final = 100
"""The number of header lines of a request. More gets 431."""

PREFLIGHT_BYTES: Final = 1024
"""The longest Access-Control-Request-Headers that a response repeats."""

FILTERS: Final = 16
"""The number of names for which a query may have filters of one kind, such as `tag.{name}`."""

LIST_ITEMS: Final = 200
"""The number of items of one list in a query."""
