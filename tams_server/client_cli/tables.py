"""Tables of documents: columns as wide as the first rows need, and narrower ones where a terminal is narrow.

Ids are never shortened, as they are what the next command needs. Where there is no terminal, nothing is.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from rich.cells import cell_len, set_cell_size

from tams_server.logs import printable

_MEASURED = 200
"""Rows that are read before the first is printed, to know the widths."""
_NARROWEST = 8
"""Characters to which a column is shortened at most."""
_READABLE = 20
"""Characters that a shortened column should have; optional columns make room for it."""
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column. read: the value of a document in it. right: aligned to the right.

    short: may be shortened to fit. optional: left out where there is no room for the others.
    """

    title: str
    read: Callable[[Mapping[str, Any]], object]
    short: bool = False
    right: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A printed row."""

    text: str
    is_title: bool = False


class Table:
    """Lays rows out. width: of the terminal, None for any."""

    def __init__(self, columns: Sequence[Column], width: int | None) -> None:
        self._columns = columns
        self._width = width

    def rows(self, items: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
        """The rows of items, with a title before the first; none for no items."""
        cells = ([cell(column.read(item)) for column in self._columns] for item in items)
        first = list(islice(cells, _MEASURED))
        if not first:
            return
        titles = [column.title for column in self._columns]
        layout = self._layout([titles, *first])
        yield Row(self._line(titles, layout), is_title=True)
        for row in chain(first, cells):
            yield Row(self._line(row, layout))

    def _layout(self, rows: Sequence[Sequence[str]]) -> dict[int, int]:
        """The columns that are shown, by number, with their widths."""
        widths = {number: max(map(cell_len, column)) for number, column in enumerate(zip(*rows, strict=True))}
        if self._width is None:
            return widths
        for number in reversed(list(widths)):
            readable = {i: min(each, _READABLE) if self._columns[i].short else each for i, each in widths.items()}
            if self._excess(readable, self._width) > 0 and self._columns[number].optional:
                del widths[number]
        excess = self._excess(widths, self._width)
        while excess > 0:
            shrinkable = [i for i in widths if self._columns[i].short and widths[i] > _NARROWEST]
            if not shrinkable:
                break
            widths[max(shrinkable, key=lambda i: widths[i])] -= 1
            excess -= 1
        return widths

    @staticmethod
    def _excess(widths: Mapping[int, int], width: int) -> int:
        """The characters that are too many for the terminal."""
        return sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width

    def _line(self, cells: Sequence[str], layout: Mapping[int, int]) -> str:
        found = []
        for number, width in layout.items():
            column, text = self._columns[number], cells[number]
            shown = _shortened(text, width) if column.short and self._width is not None else text
            padding = " " * (width - cell_len(shown))
            found.append(padding + shown if column.right else shown + padding)
        return _GAP.join(found).rstrip()


def cell(value: object) -> str:
    """A value as one line of text: "" for none, JSON for what is neither text nor a list of texts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return printable(", ".join(value))
    if isinstance(value, Mapping) and all(isinstance(each, str | list) for each in value.values()):
        return printable(", ".join(f"{name}={cell(each)}" for name, each in value.items()))
    return printable(json.dumps(value, ensure_ascii=False))


def _shortened(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
