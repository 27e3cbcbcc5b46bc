"""The part of a check that compares the rows by which tags are found with the tags in documents (F14, F15)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from storage.catalog import tags as owners_tags
from storage.catalog.check.findings import WRONG_TAGS, Finding, Progress, batches, pages
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.catalog.segments import segment_tags
from storage.catalog.tags import Tags, single_values
from storage.tables.conditions import In, equals
from storage.tables.rows import SegmentRow, SegmentTagRow, TagOwner, TagRow
from storage.tables.transaction import Reader

_KINDS: Final[tuple[TagOwner, ...]] = ("flow", "source", "webhook")
_Owners = dict[str, tuple[int, Tags]]
"""By id: when a resource was created, and its tags."""


class TagRows:
    def __init__(self, env: Environment, repair: bool, progress: Progress) -> None:
        self._env = env
        self._repair = repair
        self._progress = progress

    def compare(self) -> Iterator[Finding]:
        """Find flows, sources and webhooks whose rows differ from their tags, and rows of others that are gone."""
        for kind in _KINDS:
            for rows in pages(self._env, _table(kind), []):
                yield from self._compare(kind, [row["id"] for row in rows])
        for kind, ids in self._described("tags", "kind", "owner_id"):
            if kind in _KINDS:
                yield from self._compare(kind, ids, only_absent=True)

    def compare_segments(self) -> Iterator[Finding]:
        """Find segments whose rows differ from their tags, and rows whose segment is gone."""
        read = 0
        self._progress("segments", read)
        for rows in pages(self._env, "segments", ["doc"]):
            for flow_id, group in groupby(rows, key=itemgetter("flow_id")):
                for batch in batches(row["start_ns"] for row in group if row["doc"].get("tags")):
                    yield from self._compare_segments(flow_id, batch)
            read += len(rows)
            self._progress("segments", read)
        for flow_id, starts in self._described("segment_tags", "flow_id", "start_ns"):
            for batch in batches(starts):
                yield from self._compare_segments(flow_id, batch, only_untagged=True)

    def _described(self, table: str, first: str, second: str) -> Iterator[tuple[Any, list[Any]]]:
        """Yield what the rows of a table are about, each once: values of the first column of its key, each with some of
        the second."""
        read = 0
        last: tuple[Any, Any] = (None, None)
        what = table.replace("_", " ")
        self._progress(what, read)
        for rows in pages(self._env, table, []):
            subjects = dict.fromkeys((row[first], row[second]) for row in rows)
            subjects.pop(last, None)  # Its rows began on the page before.
            for value, group in groupby(subjects, key=lambda each: each[0]):
                yield value, [each[1] for each in group]
            last = (rows[-1][first], rows[-1][second])
            read += len(rows)
            self._progress(what, read)

    def _compare(self, kind: TagOwner, ids: Iterable[str], *, only_absent: bool = False) -> Iterator[Finding]:
        """only_absent: the resources that exist have been compared already."""
        for batch in batches(ids):
            with self._env.engine.read() as tx:
                owners = _owners(tx, kind, batch)
                compared = [id_ for id_ in batch if id_ not in owners] if only_absent else batch
                wrong = _wrong(tx, kind, compared, owners)
            for id_ in wrong:
                if not self._repair or self._correct(kind, id_):
                    detail = (
                        f"the tags of {kind} {id_} are not those by which listings find it"
                        if id_ in owners
                        else f"tags of {kind} {id_}, which does not exist, are left"
                    )
                    flow_id = id_ if kind == "flow" else None
                    yield Finding(WRONG_TAGS, detail, flow_id=flow_id, repaired=self._repair)

    @retried
    def _correct(self, kind: TagOwner, id_: str) -> bool:
        """Write the rows of one resource again. Returns False if they are right by now."""
        with self._env.engine.write() as tx:
            tx.lock(f"{kind}:{id_}")
            owners = _owners(tx, kind, [id_])
            if not _wrong(tx, kind, [id_], owners):
                return False
            created, tags = owners.get(id_, (0, {}))
            owners_tags.replace_rows(tx, kind, id_, created, tags)
        return True

    def _compare_segments(
        self, flow_id: str, starts: Sequence[int], *, only_untagged: bool = False
    ) -> Iterator[Finding]:
        """only_untagged: the segments that have tags have been compared already."""
        with self._env.engine.read() as tx:
            wrong = _wrong_segments(tx, flow_id, starts)
        for start, segment in wrong.items():
            if only_untagged and segment is not None and segment["doc"].get("tags"):
                continue
            if not self._repair or self._correct_segment(flow_id, start):
                detail = (
                    f"tags of a segment at {start} ns, which does not exist, are left"
                    if segment is None
                    else f"the tags of segment {segment['timerange']} are not those by which listings find it"
                )
                yield Finding(WRONG_TAGS, detail, flow_id=flow_id, repaired=self._repair)

    @retried
    def _correct_segment(self, flow_id: str, start: int) -> bool:
        """Write the rows of one segment again. Returns False if they are right by now."""
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            if not _wrong_segments(tx, flow_id, [start]):
                return False
            segment = tx.get("segments", flow_id=flow_id, start_ns=start)
            segment_tags.replace_rows(tx, flow_id, start, segment["doc"].get("tags", {}) if segment else {})
        return True


def _table(kind: TagOwner) -> str:
    return f"{kind}s"


def _owners(tx: Reader, kind: TagOwner, ids: Sequence[str]) -> _Owners:
    """Those of the resources that exist."""
    rows = tx.select(_table(kind), [In("id", ids)], columns=["id", "created", "doc"])
    return {row["id"]: (row["created"], row["doc"].get("tags", {})) for row in rows}


def _wrong(tx: Reader, kind: TagOwner, ids: Sequence[str], owners: _Owners) -> list[str]:
    """Those of the resources whose rows are not those of their tags."""
    if not ids:
        return []
    found: dict[str, set[Any]] = {id_: set() for id_ in ids}
    for row in tx.select("tags", [*equals(kind=kind), In("owner_id", ids)]):
        created = row["created"]
        # Rows from before there was the column have null.
        is_right = created is None or row["owner_id"] not in owners or created == owners[row["owner_id"]][0]
        found[row["owner_id"]].add(_value(row) if is_right else None)
    return [id_ for id_ in ids if found[id_] != set(single_values(owners[id_][1] if id_ in owners else {}))]


def _wrong_segments(tx: Reader, flow_id: str, starts: Sequence[int]) -> dict[int, SegmentRow | None]:
    """The segments, by start, whose rows are not those of their tags; None for one that is gone."""
    where = [*equals(flow_id=flow_id), In("start_ns", starts)]
    found: dict[int, set[Any]] = {start: set() for start in starts}
    for row in tx.select("segment_tags", where):
        found[row["start_ns"]].add(_value(row))
    rows = tx.select("segments", where, columns=["start_ns", "timerange", "doc"])
    segments = {row["start_ns"]: row for row in rows}
    tags: Mapping[int, Tags] = {start: row["doc"].get("tags", {}) for start, row in segments.items()}
    wrong = [start for start in starts if found[start] != set(single_values(tags.get(start, {})))]
    return {start: segments.get(start) for start in wrong}


def _value(row: TagRow | SegmentTagRow) -> tuple[str, str, bool]:
    return row["name"], row["value"], row["empty"]
