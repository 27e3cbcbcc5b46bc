"""Segments of a flow: list and register them (SEG-*). Their deletion is in `deletions`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from storage import error_codes
from storage.catalog.access.backends import readable_backends
from storage.catalog.access.checks import read_under, require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import CONTENT_COLUMNS, content_columns, content_span, in_content_range
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.flow_rules import check_container
from storage.catalog.objects.get_urls import GetUrl, GetUrlFilter
from storage.catalog.paging import Order, Page, PageRequest, key_after, select_page
from storage.catalog.retry import retried
from storage.catalog.segments import segment_rows
from storage.catalog.segments.page_urls import read_page_urls
from storage.catalog.segments.registration import Registration
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.segments.tagged_page import select_tagged_page
from storage.catalog.segments.uploads import NO_UPLOADS, Uploads, UploadVerification
from storage.catalog.spans import Span, covering_span, covering_timerange
from storage.errors import Invalid, TamsError
from storage.preconditions import Preconditions
from storage.tables.conditions import equals
from storage.tables.limits import OBJECT_ID, check_text
from storage.tables.rows import FlowRow, SegmentRow
from storage.tables.transaction import Reader, Writer
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
        shown_urls = get_urls.of_backends(readable_backends(self._env, caller))

        def read(tx: Reader) -> SegmentPage:
            is_empty = filters.timerange.is_empty
            needed = not is_empty or caller.is_restricted
            flow = flow_rows.get_if_present(tx, caller, flow_id, CONTENT_COLUMNS) if needed else None
            if is_empty or flow is None:
                return SegmentPage(Page([], size, request.reverse, None), EMPTY)
            where = [*filters.overlapping(flow_id), *in_content_range(flow)]
            if filters.tags.is_empty:
                rows, next_key = select_page(tx, "segments", where, _ORDER, request, size, _COLUMNS)
            else:
                rows, next_key = select_tagged_page(tx, flow_id, flow, filters, request, size, _COLUMNS)
            count, urls = read_page_urls(tx, self._env, rows, shown_urls, base_url)
            if count < len(rows):
                rows = rows[:count]
                next_key = key_after(rows[-1], "segments", where, _ORDER, request)
            items = [_document(row, urls, include_object_timerange) for row in rows]
            return SegmentPage(Page(items, size, request.reverse, next_key), _timerange_of(rows))

        return read_under(self._env.engine, caller, f"flow:{flow_id}", read)

    @retried
    def register(
        self,
        caller: Caller,
        flow_id: str,
        items: Sequence[Mapping[str, Any]],
        preconditions: Preconditions | None = None,
        received: Uploads | None = None,
    ) -> list[tuple[Mapping[str, Any], TamsError]]:
        """Register every segment that is valid, and return the others with their errors (SEG-POST-55 to -64).

        items: segments to register, valid by flow-segment-post.json. received: the objects among theirs that this
        server has received itself.

        Raises: NotFound, Forbidden or Invalid if the flow can take no segments at all, PreconditionFailed, and
        Unavailable if uploads are to be verified and a store does not respond; then nothing is stored.
        """
        if len(items) > self._env.limits.bulk_max:
            raise Invalid(
                f"one request may register at most {self._env.limits.bulk_max} segments, not {len(items)}",
                code=error_codes.SEGMENT_TOO_MANY,
            )
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        locks = {f"object:{item['object_id']}" for item in items if item.get("get_urls")}
        timeranges, errors = _parse_timeranges(items)
        valid = [items[number] for number in timeranges]
        uploads = received
        if self._env.verify_uploads:
            uploads = self._verification.verify(flow_id, valid, received or NO_UPLOADS)
        with suppress(_AllRejectedError), write_with_events(self._env) as (tx, journal):
            columns = flow_rows.CONTENT_WRITER_COLUMNS
            flow = flow_rows.lock_writable(tx, caller, flow_id, *locks, preconditions=preconditions, columns=columns)
            check_container(flow)
            now = segment_rows.next_update(flow, self._env.clock())
            content = self._extend_content(tx, flow, [timerange.bounds for timerange in timeranges.values()], now)
            registration = Registration(tx, self._env, caller, flow, valid, content[1], uploads, now=now)
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

    def check(
        self, tx: Reader, caller: Caller, flow: FlowRow, item: Mapping[str, Any], uploads: Uploads | None = None
    ) -> None:
        """Check that a segment could be registered now, without writing anything. Raises: Invalid."""
        timeranges, errors = _parse_timeranges([item])
        for error in errors.values():
            raise error
        now, stored_end = self._env.clock(), content_span(tx, flow)[1]
        Registration(tx, self._env, caller, flow, [item], stored_end, uploads, now=now).add(item, timeranges[0])

    def failed_segment(self, item: Mapping[str, Any], error: TamsError) -> dict[str, Any]:
        """One entry of failed_segments (flow-segment-bulk-failure.json)."""
        document = {"type": error.kind, "summary": error.message, "time": rfc3339(self._env.clock())}
        document |= error.described()
        return {"object_id": item["object_id"], "timerange": item["timerange"], "error": document}

    def _extend_content(self, tx: Writer, flow: FlowRow, spans: Sequence[Span], now: int) -> Span:
        """Extend the flow's content range to cover the spans of new segments. Returns the range as it was before.

        Writes the flow's row before anything is read on which the new segments depend.
        """
        before = after = content_span(tx, flow)
        if spans:
            after = covering_span(before, (min(start for start, _ in spans), max(end for _, end in spans)))
        tx.update("flows", equals(id=flow["id"]), {"segments_updated": now, **content_columns(after, flow)})
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
    """One item of the listing (flow-segment.json). The document in the row becomes part of it."""
    doc = row["doc"]
    if not include_object_timerange:
        del doc["object_timerange"]
    object_id = row["object_id"]
    doc["object_id"] = object_id
    doc["timerange"] = row["timerange"]
    doc["get_urls"] = get_urls[object_id]
    init_id = row["init_object_id"]
    if init_id is not None:
        doc["init_object"] = {"object_id": init_id, "get_urls": get_urls[init_id]}
    return doc
