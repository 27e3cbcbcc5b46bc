"""Segments of a flow: listed, registered and deleted (SEG-*)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import change
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import CONTENT, Span, content_of, hull, inside_content, united
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.objects import references
from storage.catalog.objects.get_urls import Url, UrlFilter, read_get_urls
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.segments.registration import Batch, KnownObject
from storage.errors import Contended, Invalid, TamsError
from storage.tables.conditions import Condition, In, Overlaps, equals
from storage.tables.engine import Reader, Row, Writer
from storage.timerange import EMPTY, ETERNITY, TimeRange, parse_bounded

_ORDER = Order(("start_ns",))
_SHOWN = ("start_ns", "timerange", "object_id", "init_object_id", "doc")


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """What a listing asks for: segments that meet `timerange`, of the object if one is named."""

    timerange: TimeRange = ETERNITY
    object_id: str | None = None

    def conditions(self, flow_id: str) -> list[Condition]:
        where: list[Condition] = [*equals(flow_id=flow_id)]
        if self.object_id is not None:
            where += equals(object_id=self.object_id)
        if self.timerange != ETERNITY:
            where.append(Overlaps(*self.timerange.bounds))
        return where


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """A page, and the timerange from its earliest to its latest segment (A08)."""

    page: Page
    timerange: TimeRange


class _NothingToKeep(Exception):
    """Every segment of a request was refused, so that its transaction is to leave no trace."""


class Segments:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(
        self,
        caller: Caller,
        flow_id: str,
        filters: SegmentFilter,
        request: PageRequest,
        wanted: UrlFilter,
        base_url: str,
        *,
        include_object_timerange: bool = False,
    ) -> SegmentPage:
        """A page of segments in order of time; none for a flow that is not there (SEG-GET-03, A34)."""
        size = request.size(self._env.limits)

        def read(tx: Reader) -> SegmentPage:
            flow = None if filters.timerange.is_empty else flow_rows.look(tx, caller, flow_id, CONTENT)
            if flow is None:
                return SegmentPage(Page([], size, request.reverse, None), EMPTY)
            where = [*filters.conditions(flow_id), *inside_content(flow)]
            rows, next_key = select_page(tx, "segments", where, _ORDER, request, size, _SHOWN)
            named = {id_ for row in rows for id_ in (row["object_id"], row["init_object_id"]) if id_ is not None}
            get_urls = read_get_urls(tx, self._env, named, wanted, base_url)
            items = [_document(row, get_urls, include_object_timerange) for row in rows]
            return SegmentPage(Page(items, size, request.reverse, next_key), _hull(rows))

        return self._env.engine.read_under(f"flow:{flow_id}", read)

    @retried
    def register(
        self, caller: Caller, flow_id: str, items: Sequence[Mapping[str, Any]]
    ) -> list[tuple[Mapping[str, Any], TamsError]]:
        """Register each item that keeps the rules; those that do not, with the reason (SEG-POST-55 to -64).

        Raises NotFound, Forbidden or Invalid where the flow itself takes no segments; nothing is stored then.
        """
        if len(items) > self._env.limits.bulk_max:
            raise Invalid(f"one request may register at most {self._env.limits.bulk_max} segments, not {len(items)}")
        elsewhere = {f"object:{item['object_id']}" for item in items if item.get("get_urls")}
        failed: dict[int, TamsError] = {}
        placed: dict[int, TimeRange] = {}
        for number, item in enumerate(items):
            try:
                placed[number] = parse_bounded(item["timerange"])
            except Invalid as refusal:
                failed[number] = refusal
        with suppress(_NothingToKeep), change(self._env) as (tx, journal):
            flow = flow_rows.find_writable(tx, caller, flow_id, *elsewhere)
            check_container(flow)
            content = self._extend(tx, flow, [timerange.bounds for timerange in placed.values()])
            batch = Batch.load(tx, self._env, flow, [items[number] for number in placed], content[1])
            for number, timerange in placed.items():
                try:
                    batch.add(items[number], timerange)
                except Invalid as refusal:
                    failed[number] = refusal
            if not batch.segments:
                raise _NothingToKeep
            self._write(tx, batch)
            journal.segments_added(flow, batch.segments)
        return [(items[number], failed[number]) for number in sorted(failed)]

    def _extend(self, tx: Writer, flow: Row, spans: Sequence[Span]) -> Span:
        """Change the flow's row for segments to come, before anything that they depend on is read; what its content
        was within before."""
        before = after = content_of(tx, flow)
        if spans:
            after = united(before, (min(start for start, _ in spans), max(end for _, end in spans)))
        content = dict(zip(CONTENT, after, strict=True))
        tx.update("flows", equals(id=flow["id"]), {"segments_updated": self._env.clock(), **content})
        return before

    def failure(self, item: Mapping[str, Any], refusal: TamsError) -> dict[str, Any]:
        """One entry of failed_segments (flow-segment-bulk-failure.json)."""
        error = {"type": refusal.code, "summary": refusal.message, "time": rfc3339(self._env.clock())}
        return {"object_id": item["object_id"], "timerange": item["timerange"], "error": error}

    def _write(self, tx: Writer, batch: Batch) -> None:
        now = self._env.clock()
        flow_id = batch.flow["id"]
        tx.insert("segments", batch.segments, fresh=True)
        rows = [_registered(known, batch.stored.get(known.id, {"created": now})) for known in batch.changed.values()]
        replaced = sorted(batch.changed.keys() & batch.stored.keys())
        if tx.delete("objects", [In("id", replaced)]) != len(replaced):
            raise Contended("an object of these segments has just been collected; try again")
        tx.insert("objects", rows)
        named = {id_ for s in batch.segments for id_ in (s["object_id"], s["init_object_id"]) if id_ is not None}
        references.take_up(tx, sorted(named - batch.changed.keys()))
        tx.insert("instances", batch.instances)
        names = [(segment["object_id"], segment["init_object_id"]) for segment in batch.segments]
        references.add(tx, flow_id, names, first_named=replaced)


def _registered(known: KnownObject, row: Row) -> Row:
    """What becomes of the object's row, of which only the time of creation is there where it is new."""
    span = known.timerange
    return row | {
        "id": known.id,
        "state": known.state,
        "flow_id": known.flow_id,
        "timerange": None if span is None else str(span),
        "start_ns": None if span is None else span.start,
        "end_ns": None if span is None else span.end,
        "key_frame_count": known.key_frame_count,
        "init_object_id": known.init_object_id,
        "expires": None,
    }


def _hull(rows: Sequence[Row]) -> TimeRange:
    if not rows:
        return EMPTY
    ends = sorted((rows[0], rows[-1]), key=lambda row: row["start_ns"])
    return hull(ends[0]["timerange"], ends[1]["timerange"])


def _document(row: Row, get_urls: Mapping[str, list[Url]], include_object_timerange: bool) -> dict[str, Any]:
    """One item of the listing (flow-segment.json)."""
    doc = {"object_id": row["object_id"], "timerange": row["timerange"], **row["doc"]}
    if not include_object_timerange:
        del doc["object_timerange"]
    doc["get_urls"] = get_urls[row["object_id"]]
    init_id = row["init_object_id"]
    if init_id is not None:
        doc["init_object"] = {"object_id": init_id, "get_urls": get_urls[init_id]}
    return doc
