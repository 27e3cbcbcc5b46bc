"""What every row of the benchmark is made of: samples, results with their targets, and interleaved rounds."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
"""The checkout that contains this benchmark."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one quantity, one for each round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The range of the middle half of the values."""
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must be: at most this value, or at least."""

    value: float
    at_least: bool = False

    def met_by(self, figure: float) -> bool:
        return figure >= self.value if self.at_least else figure <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Result:
    """One measured case of a row.

    unit: of both samples. figure: what the target applies to: a ratio of the samples, or the median of the only one.
    target: None for cases that are shown for information only.
    group: cases of one group are points of one line in the picture, each at its `size`, after the baseline at
    `base_size`.
    """

    row: str
    case: str
    unit: str
    sample: Sample
    baseline: Sample | None
    figure: float
    target: Target | None = None
    group: str = ""
    size: int = 0
    base_size: int = 0

    @property
    def met(self) -> bool:
        return self.target is None or self.target.met_by(self.figure)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that was not measured. reason: why, and how to make it run."""

    row: str
    case: str
    reason: str


Outcome = Result | Skipped
K = TypeVar("K")
T = TypeVar("T")


def ratio(
    row: str, case: str, unit: str, sample: Sample, baseline: Sample, target: Target | None = None, **place: str | int
) -> Result:
    """A result whose figure is the median of sample / baseline, taken round by round."""
    figure = statistics.median(a / b for a, b in zip(sample.values, baseline.values, strict=True))
    return Result(row, case, unit, sample, baseline, figure, target, **place)  # type: ignore[arg-type]


def plain(row: str, case: str, unit: str, sample: Sample, target: Target | None = None) -> Result:
    """A result whose figure is the median itself."""
    return Result(row, case, unit, sample, None, sample.median, target)


class Shared:
    """What several rows use, such as a filled catalogue: opened once, and closed after the last row."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[object, Any] = {}

    def get(self, key: object, opened: Callable[[], AbstractContextManager[T]]) -> T:
        """What is open under `key`, opened if it is not."""
        if key not in self._open:
            self._open[key] = self._stack.enter_context(opened())
        found: T = self._open[key]
        return found


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and how.

    checkout: the code of the server to measure. stores: of tests.servers.stores.CATALOGUES, for rows that have several.
    sizes: numbers of segments, ascending. listing_sizes: numbers of flows and sources, ascending.
    rounds: of every case. short: the form for CI, with few cases and wide margins.
    tools: folder for baselines that are installed on demand. shared: between rows.
    say: called with lines of progress.
    """

    checkout: Path
    stores: Sequence[str]
    sizes: Sequence[int]
    listing_sizes: Sequence[int]
    rounds: int
    short: bool
    tools: Path
    shared: Shared
    say: Callable[[str], None]

    def target(self, value: float, margin: float, *, at_least: bool = False) -> Target:
        """The target of the full form, widened by the factor `margin` in the short form."""
        if not self.short:
            return Target(value, at_least)
        return Target(value / margin if at_least else value * margin, at_least)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the benchmark. measure: yields its results as they are found."""

    id: str
    title: str
    measure: Callable[[Options], Iterator[Outcome]]


def interleave(
    cases: Mapping[K, Callable[[], float]], rounds: int, budget_s: float = float("inf"), at_least: int = 3
) -> dict[K, Sample]:
    """Call the cases in turn, `rounds` times each, and collect what they return.

    The order alternates. budget_s: fewer rounds, but not fewer than `at_least`, if they take longer than this.
    """
    values: dict[K, list[float]] = {name: [] for name in cases}
    names = list(cases)
    began = time.monotonic()
    for round_ in range(rounds):
        for name in names if round_ % 2 else reversed(names):
            values[name].append(cases[name]())
        if round_ + 1 >= at_least and time.monotonic() - began > budget_s:
            break
    return {name: Sample(tuple(each)) for name, each in values.items()}
