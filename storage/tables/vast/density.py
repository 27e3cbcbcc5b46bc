"""How densely timelines are filled, as this process has seen it, to choose the time window for a page.

These are estimates that save requests; no result depends on them.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.tables.transaction import Row
from storage.tables.vast.layout import TableLayout
from storage.tables.vast.predicates import span_columns

_MAX_OWNERS = 10_000
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Density:
    """The spans of one owner, in ns: the mean distance from one start to the next, and the longest span."""

    mean_step: float
    longest: int

    def window_length(self, count: int) -> int:
        """The length in ns of a window that should hold `count` spans."""
        return int(self.mean_step * count * _MARGIN) + self.longest + 1


DEFAULT_DENSITY = Density(mean_step=2e9, longest=2_000_000_000)
"""The first estimate: segments of two seconds each."""


class DensityCache:
    """Densities by table and owner, the most recently used ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Density] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, layout: TableLayout, owner: str) -> Density | None:
        return self._known.get((layout.name, owner))

    def observe_inserted(self, layout: TableLayout, rows: Iterable[Row]) -> None:
        """Update the densities of the owners of new spans."""
        by_owner: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_owner[row[span_columns(layout)[0]]].append(row)
        for owner, spans in by_owner.items():
            self.observe(layout, owner, spans, adjacent=False)

    def observe(self, layout: TableLayout, owner: str, rows: Sequence[Row], *, adjacent: bool) -> Density:
        """Update the density of `owner` from some of its spans, at least one, and return it.

        adjacent: `rows` are consecutive spans, with no other in between.
        """
        _, start, end = span_columns(layout)
        lengths = [row[end] - row[start] for row in rows]
        mean_step, longest = sum(lengths) / len(lengths), max(lengths)
        if adjacent and len(rows) > 1:
            starts = [row[start] for row in rows]
            mean_step = (max(starts) - min(starts)) / (len(rows) - 1)
        with self._guard:
            known = self._known.pop((layout.name, owner), None)
            if known is not None:
                longest = max(longest, known.longest)
                if len(rows) == 1:
                    mean_step = known.mean_step
            density = self._known[layout.name, owner] = Density(max(mean_step, 1.0), longest)
            while len(self._known) > _MAX_OWNERS:
                self._known.popitem(last=False)
        return density
