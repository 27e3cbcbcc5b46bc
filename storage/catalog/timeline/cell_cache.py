"""Cells of flows' timelines (storage.tables.span_cells) that were counted before, so that they are counted once."""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain
from typing import Final

from storage.tables.span_cells import SpanCell

BLOCK_LEVELS: Final = 8
"""A block is a run of 2^BLOCK_LEVELS cells, and is kept as a whole."""
_MOST_BYTES: Final = 16 * 2**20
_OVERHEAD: Final = 400
_FIELDS: Final = len(SpanCell._fields)

Key = tuple[str, int, int]
"""Of a block: the id of the flow, the level of its cells and its number."""


class CellCache:
    """The blocks that were used last. Safe for threads. max_bytes: that they may take together."""

    def __init__(self, max_bytes: int = _MOST_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._blocks: OrderedDict[Key, tuple[int | None, array[int]]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key, version: int | None) -> list[SpanCell] | None:
        """The cells of a block as they were in this version of the flow's segments; None if they are not known."""
        with self._lock:
            found = self._blocks.get(key)
            if found is None or found[0] != version:
                return None
            self._blocks.move_to_end(key)
        values = found[1]
        return [SpanCell(*values[at : at + _FIELDS]) for at in range(0, len(values), _FIELDS)]

    def put(self, key: Key, version: int | None, cells: Sequence[SpanCell]) -> None:
        """Keep all cells of a block, and forget the blocks that were not used for longest."""
        values = array("q", chain.from_iterable(cells))
        with self._lock:
            self._remove(key)
            self._blocks[key] = version, values
            self._bytes += _size(values)
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._blocks)))

    def _remove(self, key: Key) -> None:
        removed = self._blocks.pop(key, None)
        if removed is not None:
            self._bytes -= _size(removed[1])


def _size(values: "array[int]") -> int:
    return _OVERHEAD + len(values) * values.itemsize
