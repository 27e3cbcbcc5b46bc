"""Pages of filtered listings, whose cost does not grow with the table, whether few rows pass a filter or many.

A filter that few rows pass leads to all of them, and these are sorted. Otherwise an index that has a filter and the
order of the listing together is walked until the page is full, and the other filters are checked row by row. Which of
the two it is to be, a bounded look decides each time; statistics, which may be old or missing, have no part in it.

Where a row passes a filter by any of several values, such as the classes that a caller may read, one index has the rows
of each value in the order of the listing, and the database merges them.

Only where many rows pass each of two filters, but few pass both, does the cost grow: all that pass one are walked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from storage.tables.conditions import Compare, Condition, Exists, In
from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Checked
from storage.tables.sql.listing_paths import Path, find_paths, linked, unfulfilled
from storage.tables.sql.merge_statements import Merge
from storage.tables.sql.merging import Place
from storage.tables.transaction import Selection

_FEW = 100
"""Rows are sorted rather than walked past, if there are no more than this."""
_SOME = 5_000
"""The same where walking past ten times _FEW has not filled the page."""

_AHEAD = 2
"""How many times a page of rows to read of several values merged, and then to walk past, if there are other filters."""
_NEARLY = 10
"""If the rows that have been walked past had one part in so many of the page, the rest is not far."""
_MOST_MERGED = 2_000
"""Rows of several values to read at once, if other filters are to be checked."""


Find = Callable[..., list[Any]]
"""storage.tables.sql.transaction.SqlTransaction: select rows in one statement."""
MergePlaces = Callable[[Merge], list[Place]]
"""The same class: the places of rows with one of several values, merged in an order."""
MergeRows = Callable[..., list[Any] | None]
"""The same class: the listed rows at these places, read in one statement, if it can."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Keys of rows that pass every filter, in order. is_last: whether there are no more."""

    keys: list[str]
    is_last: bool


def is_filtered_listing(table: str, where: Sequence[Condition], how: Selection) -> bool:
    """Whether a selection is a page of a listing, with filters other than by the key."""
    declared = TABLES[table]
    if not where or declared.listing is None or not how.get("order") or how.get("limit") is None:
        return False
    return not any(isinstance(each, Compare | In) and each.column in declared.key for each in where)


class FilteredListing:
    """One page of a listing. how: with `order` and `limit`."""

    def __init__(
        self,
        find: Find,
        merge_places: MergePlaces,
        merge_rows: MergeRows,
        table: str,
        where: Sequence[Condition],
        how: Selection,
    ) -> None:
        self._find = find
        self._merge_places = merge_places
        self._merge_rows = merge_rows
        self._table = table
        self._key = TABLES[table].key[0]
        self._where = where
        self._order = tuple(how["order"])
        self._descending = how.get("descending", False)
        self._after = how.get("after")
        self._limit = how["limit"] or 0
        self._columns = how.get("columns")
        self._has_keys = self._columns is None or self._key in self._columns
        self._budget = how.get("budget")
        self._paths = list(find_paths(table, where, self._order))

    def rows(self) -> list[Any]:
        if not self._paths:
            others = [each for each in self._where if isinstance(each, Exists)]
            return self._walk_listing([each for each in self._where if each not in others], others)
        if len(self._paths) == 1 and self._paths[0].order:
            return self._walk(self._paths[0])
        merged = next((each for each in self._paths if each.merged is not None), None)
        if merged is None:
            return self._by_looks()
        rows = self._joined_rows(merged)
        return self._by_merging(merged) if rows is None else rows

    def _by_looks(self) -> list[Any]:
        """The page by the index to which bounded looks lead."""
        places = [self._place(path, _FEW) for path in self._paths]
        few = [path for path, place in zip(self._paths, places, strict=True) if place is None]
        if few:
            return self._sort(few)
        path = self._sparsest(self._paths, places)
        unordered = [each for each in self._paths if not each.order]
        if unordered:
            place = self._place(path, 10 * _FEW)
            rows = self._walk(path, place)
            if place is None or self._is_full(rows):
                return rows
            if len(rows) * _NEARLY < self._limit:
                some = [each for each in unordered if self._place(each, _SOME) is None]
                if some:
                    return self._sort(some)
        return self._walk(path)

    def _joined_rows(self, merged: Path) -> list[Any] | None:
        """The page out of rows with one of several values, if no other filter is to be checked and no row is gone."""
        if unfulfilled(self._where, merged) or not self._has_keys:
            return None
        merge = self._merge_of(merged, self._after, self._limit)
        rows = self._merge_rows(merge, self._table, self._columns, self._budget)
        return None if rows is None or any(row[self._key] is None for row in rows) else rows

    def _by_merging(self, merged: Path) -> list[Any]:
        """The page out of rows with one of several values, or by another index if more of its rows are on the page."""
        others = [each for each in self._paths if each is not merged]
        batches = self._merged_keys(merged)
        first = next(batches)
        keys = first.keys
        if not first.is_last and len(keys) < self._limit:
            places = [self._place(path, _FEW) for path in others]
            few = [path for path, place in zip(others, places, strict=True) if place is None]
            if few:
                return self._sort(few)
            path = self._sparsest(others, places)
            place = self._place(path, _AHEAD * self._limit)
            rows = self._walk(path, place)
            if place is None or self._is_full(rows):
                return rows
            if len(rows) > len(keys):
                return self._walk(path)
            for batch in batches:
                keys += batch.keys
                if len(keys) >= self._limit:
                    break
        keys = keys[: self._limit]
        rows = self._rows_of(keys)
        if len(rows) < len(keys) and not self._is_full(rows):
            # Keys of rows that are gone have taken the place of others.
            return self._walk(None)
        return rows

    def _merged_keys(self, path: Path) -> Iterator[_Batch]:
        """The keys of the rows of the page and of those after it, in order."""
        rest = unfulfilled(self._where, path)
        wanted = _AHEAD * self._limit if rest else self._limit
        after = self._after
        is_last = False
        while not is_last:
            places = self._merge_places(self._merge_of(path, after, wanted))
            is_last = len(places) < wanted
            keys = [place[-1] for place in places]
            if rest and keys:
                rows = self._find(self._table, [In(self._key, keys), *map(Checked, rest)], columns=[self._key])
                passing = {row[self._key] for row in rows}
                keys = [key for key in keys if key in passing]
            yield _Batch(keys, is_last)
            after = places[-1] if places else None
            wanted = min(2 * wanted, _MOST_MERGED)

    def _merge_of(self, path: Path, after: Sequence[Any] | None, limit: int) -> Merge:
        assert path.merged is not None
        order = [TABLES[path.table].repeats[name] for name in self._order]
        return Merge(path.table, path.merged, order, self._descending, after, limit)

    def _sparsest(self, paths: Sequence[Path], places: Sequence[Sequence[Any] | None]) -> Path | None:
        """The ordered path that passes as many rows as the others over the longest way. places: where it has."""
        ordered = [(list(place or ()), path) for path, place in zip(paths, places, strict=True) if path.order]
        furthest = min if self._descending else max
        return furthest(ordered, key=lambda each: each[0])[1] if ordered else None

    def _place(self, path: Path | None, most: int) -> list[Any] | None:
        """Where in the order of the listing `most` rows of a path have been passed, from the page key on.

        None if there are no more than that. If the path is unordered, the values mean nothing.
        """
        if path is None:
            path = Path(self._table, self._key, ((),), self._order)
        for part in path.parts:
            columns = path.order or (path.column,)
            for row in self._find(path.table, part, **self._from_page_key(path), limit=1, offset=most, columns=columns):
                return [row[column] for column in columns]
        return None

    def _from_page_key(self, path: Path) -> dict[str, Any]:
        return {"order": path.order, "descending": self._descending, "after": self._after} if path.order else {}

    def _sort(self, paths: Sequence[Path]) -> list[Any]:
        """The page out of the rows to which all of these paths lead, which are few."""
        keys: set[str] | None = None
        for path in paths:
            found = {
                row[path.column]
                for part in path.parts
                for row in self._find(path.table, part, **self._from_page_key(path), columns=[path.column])
            }
            keys = found if keys is None else keys & found
            if not keys:
                return []
        return self._select([In(self._key, sorted(keys or ()))], unfulfilled(self._where, *paths), self._after)

    def _walk(self, path: Path | None, until: Sequence[Any] | None = None) -> list[Any]:
        """The page, or as much of it as is found until `until`, in the order of the path, or of the whole listing."""
        if path is None:
            return self._walk_listing((), self._where, until)
        rest = unfulfilled(self._where, path)
        if path.table == self._table:
            return self._walk_listing(path.parts[0], rest, until)
        checked = linked(self._table, self._key, path.column, rest)
        keys = self._walk_other(path, checked, until)
        rows = self._rows_of(keys)
        if len(rows) < len(keys) and not self._is_full(rows):
            # Keys of rows that are gone have taken the place of others.
            present = Exists(self._table, self._key, path.column)
            rows = self._rows_of(self._walk_other(path, [present, *checked], until))
        return rows

    def _rows_of(self, keys: Sequence[str]) -> list[Any]:
        """The rows with these keys, which are in the order of the listing."""
        if not keys:
            return []
        if self._has_keys:
            # Databases sort rows with their documents; to sort them here takes a fraction of that.
            how: dict[str, Any] = {"columns": self._columns, "budget": self._budget}
            rows = self._find(self._table, [In(self._key, keys)], **how)
            if self._budget is None or not self._budget.is_spent:
                found = {row[self._key]: row for row in rows}
                return [found[key] for key in keys if key in found]
        return self._select([In(self._key, keys)])

    def _is_full(self, rows: Sequence[Any]) -> bool:
        return len(rows) == self._limit or (self._budget is not None and self._budget.is_spent)

    def _walk_other(self, path: Path, checked: Sequence[Condition], until: Sequence[Any] | None) -> list[str]:
        """The keys of the rows of the page, found in the order of a path through another table."""
        assert path.order is not None
        keys: dict[str, None] = {}
        after = self._after
        while True:
            wanted = self._limit - len(keys)
            rows = self._find(
                path.table,
                [*path.parts[0], *map(Checked, checked)],
                order=path.order,
                descending=self._descending,
                after=after,
                until=until,
                limit=wanted,
                columns=path.order,
            )
            keys |= dict.fromkeys(row[path.column] for row in rows)
            if len(rows) < wanted or len(keys) == self._limit:
                return list(keys)
            # A listed row may have several rows there.
            after = [rows[-1][column] for column in path.order]

    def _walk_listing(
        self, where: Sequence[Condition], checked: Sequence[Condition] = (), until: Sequence[Any] | None = None
    ) -> list[Any]:
        return self._select(where, checked, self._after, until)

    def _select(
        self,
        where: Sequence[Condition],
        checked: Sequence[Condition] = (),
        after: Sequence[Any] | None = None,
        until: Sequence[Any] | None = None,
    ) -> list[Any]:
        return self._find(
            self._table,
            [*where, *map(Checked, checked)],
            order=self._order,
            descending=self._descending,
            after=after,
            until=until,
            limit=self._limit,
            columns=self._columns,
            budget=self._budget,
        )
