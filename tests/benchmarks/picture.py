"""A picture of cost against size, as SVG: one panel for each row, one line for each case."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tests.benchmarks.frame import Outcome, Result
from tests.benchmarks.report import number

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 44, 40
_TITLES = {
    "P1": "a page of 30 segments, by length of the flow",
    "P2": "segments?object_id=, by length of the flow",
    "P3": "filtered pages, by number of flows or sources",
}
_COLOURS = {"sqlite": "#1d6fa5", "postgresql": "#b8562c"}
_OTHER = "#5b7f3a"


@dataclass(frozen=True, slots=True)
class _Line:
    """points: size and cost in milliseconds, ascending by size."""

    case: str
    points: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Logarithmic, from the values `low` to `high` to the positions `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)


def draw_costs(outcomes: Sequence[Outcome]) -> str:
    """The SVG. Rows without cases of several sizes are left out."""
    panels = [(row, lines) for row in _TITLES if (lines := _lines(row, outcomes))]
    drawn = [part for n, (row, lines) in enumerate(panels) for part in _panel(row, lines, n * _HEIGHT)]
    height = max(1, len(panels)) * _HEIGHT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="11">',
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _lines(row: str, outcomes: Sequence[Outcome]) -> list[_Line]:
    found: dict[str, list[tuple[int, float]]] = {}
    for each in outcomes:
        if isinstance(each, Result) and each.row == row and each.group and each.unit == "ms" and each.baseline:
            points = found.setdefault(each.group, [(each.base_size, each.baseline.median)])
            points.append((each.size, each.sample.median))
    return [_Line(case, points) for case, points in found.items()]


def _panel(row: str, lines: Sequence[_Line], top: int) -> Iterator[str]:
    sizes = sorted({size for line in lines for size, _ in line.points})
    costs = [cost for line in lines for _, cost in line.points]
    low, high = 10 ** math.floor(math.log10(min(costs))), 10 ** math.ceil(math.log10(max(costs) * 1.01))
    x = _Scale(sizes[0], sizes[-1], _LEFT, _WIDTH - _RIGHT)
    y = _Scale(low, high, top + _HEIGHT - _BOTTOM, top + _TOP)
    yield f'<text x="{_LEFT}" y="{top + 18}" font-size="13" font-weight="bold">{row}: {escape(_TITLES[row])}</text>'
    yield from _legend(lines, top + 33)
    for step in range(round(math.log10(high / low)) + 1):
        cost = low * 10**step
        yield f'<path d="M{_LEFT} {y(cost):.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y(cost) + 4:.1f}" text-anchor="end">{cost:g} ms</text>'
    for size in sizes:
        anchor = "end" if size == sizes[-1] else "middle"
        yield f'<path d="M{x(size):.1f} {top + _TOP}V{top + _HEIGHT - _BOTTOM}" stroke="#eee"/>'
        yield f'<text x="{x(size):.1f}" y="{top + _HEIGHT - 24}" text-anchor="{anchor}">{size:,}</text>'
    for line in lines:
        points = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in line.points)
        last = f"{line.case}: {number(line.points[0][1])} to {number(line.points[-1][1])} ms"
        yield (
            f'<polyline points="{points}" fill="none" stroke="{_colour(line)}" stroke-width="1.5" '
            f'stroke-opacity="0.6"><title>{escape(last)}</title></polyline>'
        )


def _legend(lines: Sequence[_Line], y: int) -> Iterator[str]:
    x = _LEFT
    for store in dict.fromkeys(_store(line) for line in lines):
        count = sum(_store(line) == store for line in lines)
        text = f"{store}, {count} case{'s' * (count > 1)}"
        yield f'<path d="M{x} {y - 4}h16" stroke="{_COLOURS.get(store, _OTHER)}" stroke-width="2"/>'
        yield f'<text x="{x + 20}" y="{y}">{escape(text)}</text>'
        x += 44 + 6 * len(text)


def _store(line: _Line) -> str:
    return line.case.rpartition(", ")[2]


def _colour(line: _Line) -> str:
    return _COLOURS.get(_store(line), _OTHER)
