"""Segments of a flow: list and register them (SEG-*). Their deletion is in `deletions`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import CONTENT_COLUMNS, content_columns, content_span, in_content_range
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.objects.get_urls import GetUrl, GetUrlFilter, read_get_urls
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.segments.registration import Registration
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.segments.uploads import UploadVerification
from storage.catalog.spans import Span, covering_span, covering_timerange
from storage.errors import Invalid, TamsError
from storage.preconditions import Preconditions
from storage.tables.conditions import equals
from storage.tables.engine import Reader, Writer
from storage.tables.limits import OBJECT_ID, check_text
from storage.tables.rows import FlowRow, SegmentRow
from storage.timerange import EMPTY, TimeRange, parse_bounded

_ORDER = Order(("start_ns",))
_COLUMNS = ("start_ns", "timerange", "object_id", "init_object_id", "doc")


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """A page of segments. timerange: from the earliest of them to the latest (A08)."""

    page: Page
    timerange: TimeRange


class _AllRejectedError(Exception):
    """Rolls back the transaction of a request none of whose segments can be registered."""


class Segments:
    """The segments of the catalogue's flows."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._verification = UploadVerification(env)

    def page(
        self,
        caller: Caller,
        flow_id: str,
        filters: SegmentFilter,
        request: PageRequest,
        get_urls: GetUrlFilter,
        base_url: str,
        *,
        include_object_timerange: bool = False,
    ) -> SegmentPage:
        """A page of segments in order of time; empty if there is no such flow (SEG-GET-03, A34).

        base_url: origin and base path of this server, for URLs of its own media store.
        """
        size = request.size(self._env.limits)

        def read(tx: Reader) -> SegmentPage:
            is_empty = filters.timerange.is_empty
            flow = None if is_empty else flow_rows.get_if_present(tx, caller, flow_id, CONTENT_COLUMNS)
            if flow is None:
                return SegmentPage(Page([], size, request.reverse, None), EMPTY)
            where = [*filters.overlapping(flow_id), *in_content_range(flow)]
            rows, next_key = select_page(tx, "segments", where, _ORDER, request, size, _COLUMNS)
            object_ids = {id_ for row in rows for id_ in (row["object_id"], row["init_object_id"]) if id_ is not None}
            urls = read_get_urls(tx, self._env, object_ids, get_urls, base_url)
            items = [_document(row, urls, include_object_timerange) for row in rows]
            return SegmentPage(Page(items, size, request.reverse, next_key), _timerange_of(rows))

        return self._env.engine.read_under(f"flow:{flow_id}", read)

    @retried
    def register(
        self,
        caller: Caller,
        flow_id: str,
        items: Sequence[Mapping[str, Any]],
        preconditions: Preconditions | None = None,
    ) -> list[tuple[Mapping[str, Any], TamsError]]:
        """Register every segment that is valid, and return the others with their errors (SEG-POST-55 to -64).

        items: segments to register, valid by flow-segment-post.json.

        Raises: NotFound, Forbidden or Invalid if the flow can take no segments at all, PreconditionFailed, and
        Unavailable if uploads are to be verified and a store does not respond; then nothing is stored.
        """
        if len(items) > self._env.limits.bulk_max:
            raise Invalid(f"one request may register at most {self._env.limits.bulk_max} segments, not {len(items)}")
        locks = {f"object:{item['object_id']}" for item in items if item.get("get_urls")}
        timeranges, errors = _parse_timeranges(items)
        valid = [items[number] for number in timeranges]
        uploads = self._verification.verify(flow_id, valid) if self._env.verify_uploads else None
        with suppress(_AllRejectedError), write_with_events(self._env) as (tx, journal):
            flow = flow_rows.lock_writable(tx, caller, flow_id, *locks, preconditions=preconditions)
            check_container(flow)
            content = self._extend_content(tx, flow, [timerange.bounds for timerange in timeranges.values()])
            registration = Registration(tx, self._env, flow, valid, content[1], uploads)
            for number, timerange in timeranges.items():
                try:
                    registration.add(items[number], timerange)
                except Invalid as error:
                    errors[number] = error
            if not registration.segments:
                raise _AllRejectedError
            registration.write(tx)
            journal.segments_added(flow, registration.segments)
        return [(items[number], errors[number]) for number in sorted(errors)]

    def failed_segment(self, item: Mapping[str, Any], error: TamsError) -> dict[str, Any]:
        """One entry of failed_segments (flow-segment-bulk-failure.json)."""
        document = {"type": error.code, "summary": error.message, "time": rfc3339(self._env.clock())}
        return {"object_id": item["object_id"], "timerange": item["timerange"], "error": document}

    def _extend_content(self, tx: Writer, flow: FlowRow, spans: Sequence[Span]) -> Span:
        """Extend the flow's content range to cover the spans of new segments. Returns the range as it was before.

        Writes the flow's row before anything is read on which the new segments depend.
        """
        before = after = content_span(tx, flow)
        if spans:
            after = covering_span(before, (min(start for start, _ in spans), max(end for _, end in spans)))
        tx.update("flows", equals(id=flow["id"]), {"segments_updated": self._env.clock(), **content_columns(after)})
        return before


def _parse_timeranges(items: Sequence[Mapping[str, Any]]) -> tuple[dict[int, TimeRange], dict[int, TamsError]]:
    """The timeranges of the items, and the errors in those that are invalid; both by position.

    Ids are checked too, before anything is looked up by them.
    """
    timeranges: dict[int, TimeRange] = {}
    errors: dict[int, TamsError] = {}
    for number, item in enumerate(items):
        try:
            for name in ("object_id", "init_object_id"):
                check_text(item.get(name, ""), OBJECT_ID, name)
            timeranges[number] = parse_bounded(item["timerange"])
        except Invalid as error:
            errors[number] = error
    return timeranges, errors


def _timerange_of(rows: Sequence[SegmentRow]) -> TimeRange:
    if not rows:
        return EMPTY
    first, last = sorted((rows[0], rows[-1]), key=lambda row: row["start_ns"])
    return covering_timerange(first["timerange"], last["timerange"])


def _document(row: SegmentRow, get_urls: Mapping[str, list[GetUrl]], include_object_timerange: bool) -> dict[str, Any]:
    """One item of the listing (flow-segment.json)."""
    doc = {"object_id": row["object_id"], "timerange": row["timerange"], **row["doc"]}
    if not include_object_timerange:
        del doc["object_timerange"]
    doc["get_urls"] = get_urls[row["object_id"]]
    init_id = row["init_object_id"]
    if init_id is not None:
        doc["init_object"] = {"object_id": init_id, "get_urls": get_urls[init_id]}
    return doc
