"""What a process has learnt of how densely timelines are filled, so that a page is asked for by a window of time.

These are guesses that save requests; no answer depends on their being right.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from storage.tables.engine import Row
from storage.tables.vast.layout import Form
from storage.tables.vast.predicates import span_of

_KEPT = 10_000
_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Density:
    """Of one owner's spans, in ns: mean distance of starts, longest span."""

    mean: float
    longest: int

    def step(self, count: int) -> int:
        """How long a window should hold `count` spans."""
        return int(self.mean * count * _MARGIN) + self.longest + 1


UNKNOWN = Density(mean=2e9, longest=2_000_000_000)
"""A first guess: segments of two seconds each."""


class Densities:
    """By table and owner; those used last are kept. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Density] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, form: Form, owner: str) -> Density | None:
        return self._known.get((form.name, owner))

    def learn(self, form: Form, owner: str, rows: Sequence[Row], *, adjacent: bool) -> Density:
        """Take in some spans, at least one, of `owner`. adjacent: none lies between them that is not among them."""
        _, start, end = span_of(form)
        lengths = [row[end] - row[start] for row in rows]
        mean, longest = sum(lengths) / len(lengths), max(lengths)
        if adjacent and len(rows) > 1:
            starts = [row[start] for row in rows]
            mean = (max(starts) - min(starts)) / (len(rows) - 1)
        with self._guard:
            known = self._known.pop((form.name, owner), None)
            if known is not None:
                longest = max(longest, known.longest)
                if len(rows) == 1:
                    mean = known.mean
            found = self._known[form.name, owner] = Density(max(mean, 1.0), longest)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found
