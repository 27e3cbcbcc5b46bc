"""The outbox of events, written in the same transaction as the change that they report (EVT-*).

Each event is stored with the facts that webhook filters look at, as they were when it happened (FLT-08, FLT-09).
Nothing is recorded while no webhook is enabled.

The positions of events, by which they are sent in order, are times, but never go back when the clock does: an event
comes after all that are stored, and after every enabled webhook was enabled.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import orjson

from storage.catalog.access_rules import AccessRules
from storage.catalog.clock import later_than, rfc3339
from storage.catalog.environment import Environment
from storage.catalog.spans import covering_timerange
from storage.tables.auth_classes import OWNERS
from storage.tables.conditions import In, equals
from storage.tables.rows import EventRow, FlowRow, SegmentRow, TagOwner
from storage.tables.transaction import Reader, Row, Writer
from storage.timerange import TimeRange

_MAX_SEGMENTS_PER_EVENT = 200
_MAX_SEGMENT_BYTES = 64_000
"""A larger registration is reported by several events (AMB-23). The size is that of the segments as they are stored."""
_MAX_COLLECTORS = 400
_MAX_LIST_BYTES = 16_000
"""A resource may be in any number of collections; with all of their ids, its events would be too long to be stored. So
an event keeps few of them, those that filters of webhooks name first, and its document does without longer lists."""
_LISTS = ("collected_by", "source_collection")
"""The lists in documents that grow with the number of other resources, and that a GET returns."""
_MAX_DOCUMENTS = 200
"""How many documents are read at once for events: a collection may have thousands of members, with long documents."""
_MAX_ROWS = 500
"""How many events are kept in memory before they are inserted."""

_ENABLED = equals(enabled=True)

Document = Mapping[str, Any]
_AccessFacts = tuple[Sequence[str] | None, int | None]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as filters see it. flow_id: None for events about sources. flow_collected_by and
    source_collected_by: ids of the collections that contain the flow and the source. classes: those of the flow, or of
    the source, at that time; None if no rules were in force. created: as in its row, which tells it from a later one
    with the same id; None if it is unknown."""

    flow_id: str | None
    source_id: str
    flow_collected_by: Sequence[str] = ()
    source_collected_by: Sequence[str] = ()
    classes: Sequence[str] | None = None
    created: int | None = None

    def document(self, filtered: Callable[[], Collection[str]]) -> dict[str, Any]:
        """The subject as it is stored. filtered: as `_filtered_collections` returns them; not called for few ids."""
        document = {
            name: value
            for name, value in asdict(self).items()
            if value is not None or name not in ("classes", "created")
        }
        for name in ("flow_collected_by", "source_collected_by"):
            ids = document[name]
            if len(ids) > _MAX_COLLECTORS:
                document[name] = (sorted(set(ids).intersection(filtered())) or list(ids))[:_MAX_COLLECTORS]
        return document

    def stored(self, tx: Reader) -> dict[str, Any]:
        """The subject as rows keep it that are written apart from events."""
        return self.document(partial(_filtered_collections, tx))


def _filtered_collections(tx: Reader) -> set[str]:
    """The ids of the collections that filters of enabled webhooks name."""
    hooks = [row["doc"] for row in tx.select("webhooks", _ENABLED, columns=["doc"])]
    names = ("flow_collected_by_ids", "source_collected_by_ids")
    return {id_ for hook in hooks for name in names for id_ in hook.get(name, ())}


def _source_collectors(tx: Reader, source_ids: Iterable[str]) -> dict[str, list[str]]:
    return _collectors(tx, "source_collections", source_ids)


def _collectors(tx: Reader, table: str, member_ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids of what collects each of these members."""
    found: dict[str, list[str]] = {id_: [] for id_ in member_ids}
    for link in tx.select(table, [In("member_id", sorted(found))], columns=["member_id", "collector_id"]):
        found[link["member_id"]].append(link["collector_id"])
    return found


def newest_position(tx: Reader, *, pending: bool) -> int:
    """The position of the newest event that is stored; -1 if there is none. pending: not queued for webhooks yet."""
    found = tx.select(
        "events", equals(pending=pending), order=("position",), descending=True, limit=1, columns=["position"]
    )
    return found[0]["position"] if found else -1


def next_since(tx: Reader, now: int) -> int:
    """The time from which a webhook that is enabled at `now` is sent events: after all that are stored."""
    newest = max(newest_position(tx, pending=True), newest_position(tx, pending=False))
    return later_than(newest // 1000, now)


class EventJournal:
    """Collects the events of one transaction. Many are inserted as they come; `write` inserts the rest at its end."""

    def __init__(self, tx: Writer, env: Environment) -> None:
        self._tx = tx
        self._env = env
        self._rows: list[EventRow] = []
        self._inserted = 0
        self._is_wanted: bool | None = None
        self._newest_since = 0
        self._first_position: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether any webhook is enabled. If not, callers need not gather what events would report."""
        if self._is_wanted is None:
            newest = self._tx.select(
                "webhooks", _ENABLED, order=("since",), descending=True, limit=1, columns=["since"]
            )
            self._is_wanted = bool(newest)
            self._newest_since = newest[0]["since"] if newest else 0
        return self._is_wanted

    @cached_property
    def _filtered(self) -> set[str]:
        return _filtered_collections(self._tx)

    @property
    def rules(self) -> AccessRules:
        return self._env.access

    def flow_subject(self, flow_id: str, source_id: str) -> Subject:
        """Return the subject of events about a flow."""
        collectors = _collectors(self._tx, "collections", [flow_id])[flow_id]
        source_collectors = _source_collectors(self._tx, [source_id])[source_id]
        facts = self._access_facts("flow", [flow_id])[flow_id]
        return Subject(flow_id, source_id, collectors, source_collectors, *facts)

    def _access_facts(self, kind: TagOwner, ids: Sequence[str]) -> dict[str, _AccessFacts]:
        """By id, the classes of resources, and when each was created; Nones if no rules are in force.

        By these it is decided who is sent the event if the resource has gone then, or another one has its id.
        """
        if not self.rules.enabled:
            return dict.fromkeys(ids, (None, None))
        classes: dict[str, list[str]] = {id_: [] for id_ in ids}
        of_kind = [*equals(kind=kind), In("owner_id", ids)]
        for row in self._tx.select("classes", of_kind, columns=["owner_id", "name"]):
            classes[row["owner_id"]].append(row["name"])
        found: list[Row] = self._tx.select(OWNERS[kind], [In("id", ids)], columns=["id", "created"])
        created = {row["id"]: row["created"] for row in found}
        return {id_: (names, created.get(id_)) for id_, names in classes.items()}

    def flows(self, event_type: str, docs: Sequence[Document], moment: str | None = None) -> None:
        """Record flows/created or flows/updated, for each of these flows.

        docs: the flows as a GET returns them from now on. moment: the time of the change (RFC 3339); now by default.
        """
        if docs and self.wanted:
            source_collectors = _source_collectors(self._tx, {doc["source_id"] for doc in docs})
            facts = self._access_facts("flow", [doc["id"] for doc in docs])
            for doc in docs:
                collectors = doc.get("collected_by", ()), source_collectors[doc["source_id"]]
                subject = Subject(doc["id"], doc["source_id"], *collectors, *facts[doc["id"]])
                self._add(event_type, subject, {"flow": _without_long_lists(doc)}, moment)

    def sources(self, event_type: str, docs: Sequence[Document], moment: str | None = None) -> None:
        """Record sources/created or sources/updated, for each of these sources. docs, moment: as for `flows`."""
        if docs and self.wanted:
            facts = self._access_facts("source", [doc["id"] for doc in docs])
            for doc in docs:
                subject = Subject(None, doc["id"], (), doc.get("collected_by", ()), *facts[doc["id"]])
                self._add(event_type, subject, {"source": _without_long_lists(doc)}, moment)

    def flow_deleted(self, subject: Subject) -> None:
        self._add("flows/deleted", subject, {"flow_id": subject.flow_id})

    def source_subject(self, source_id: str, collected_by: Sequence[str]) -> Subject:
        """Return the subject of events about a source. collected_by: the sources that collect it."""
        return Subject(None, source_id, (), collected_by, *self._access_facts("source", [source_id])[source_id])

    def source_deleted(self, subject: Subject) -> None:
        """Record sources/deleted. subject: the source as it was before it was deleted."""
        self._add("sources/deleted", subject, {"source_id": subject.source_id})

    def segments_added(self, flow: FlowRow, rows: Sequence[SegmentRow]) -> None:
        """Record flows/segments_added, in events of bounded size (EVT-SA-01 to -04)."""
        if not self.wanted:
            return
        subject = self.flow_subject(flow["id"], flow["source_id"])
        for part in _parts([_segment(row) for row in rows]):
            self._add("flows/segments_added", subject, {"flow_id": flow["id"], "segments": part})

    def segments_deleted(self, subject: Subject, rows: Iterable[SegmentRow]) -> None:
        """Record one flows/segments_deleted for each run of adjacent segments (EVT-SD-01, -04, AMB-22).

        rows: start_ns, end_ns and timerange of the segments, in any order.
        """
        for first, last in _adjacent_runs(rows):
            timerange = str(covering_timerange(first["timerange"], last["timerange"]))
            self._add("flows/segments_deleted", subject, {"flow_id": subject.flow_id, "timerange": timerange})

    def content_deleted(self, subject: Subject, content: TimeRange) -> None:
        """Record one flows/segments_deleted for all segments of a flow. content: from the first to the last of them."""
        if not content.is_empty:
            self._add("flows/segments_deleted", subject, {"flow_id": subject.flow_id, "timerange": str(content)})

    def write(self) -> None:
        """Insert the events that have not been inserted yet."""
        self._tx.insert("events", self._rows, fresh=True)
        self._inserted += len(self._rows)
        self._rows = []

    def _add(self, event_type: str, subject: Subject, event: Document, moment: str | None = None) -> None:
        if not self.wanted:
            return
        now = self._env.clock()
        message = {"event_timestamp": moment or rfc3339(now), "event_type": event_type, "event": event}
        if self._first_position is None:
            self._first_position = self._next_position(now)
        position = self._first_position + self._inserted + len(self._rows)
        doc = {"subject": subject.document(lambda: self._filtered), "message": message}
        self._rows.append({"id": str(uuid.uuid4()), "position": position, "pending": True, "doc": doc})
        if len(self._rows) == _MAX_ROWS:
            self.write()

    def _next_position(self, now: int) -> int:
        """The position of the first event of this transaction."""
        newest = newest_position(self._tx, pending=True)
        return max(now * 1000, newest + 1, self._newest_since * 1000)


def pages(ids: Collection[str]) -> Iterator[list[str]]:
    """Divide the ids of resources whose documents are to be read and reported, so that few are in memory at once."""
    ordered = sorted(ids)
    return (ordered[start : start + _MAX_DOCUMENTS] for start in range(0, len(ordered), _MAX_DOCUMENTS))


@contextmanager
def write_with_events(env: Environment) -> Iterator[tuple[Writer, EventJournal]]:
    """A write transaction with a journal, whose events are committed with the change or rolled back with it."""
    with env.engine.write() as tx:
        journal = EventJournal(tx, env)
        yield tx, journal
        journal.write()


def _without_long_lists(doc: Document) -> Document:
    long = {name for name in _LISTS if len(doc.get(name, ())) and len(orjson.dumps(doc[name])) > _MAX_LIST_BYTES}
    return {name: value for name, value in doc.items() if name not in long} if long else doc


def _segment(row: SegmentRow) -> dict[str, Any]:
    """Return a segment without its URLs, which are signed when the event is sent (TRF-09)."""
    init = {} if row["init_object_id"] is None else {"init_object_id": row["init_object_id"]}
    return {"object_id": row["object_id"], "timerange": row["timerange"], **row["doc"], **init}


def _parts(segments: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Divide segments among events by number and by size."""
    part: list[dict[str, Any]] = []
    size = 0
    for segment in segments:
        segment_size = len(orjson.dumps(segment))
        if part and (len(part) == _MAX_SEGMENTS_PER_EVENT or size + segment_size > _MAX_SEGMENT_BYTES):
            yield part
            part, size = [], 0
        part.append(segment)
        size += segment_size
    if part:
        yield part


def _adjacent_runs(rows: Iterable[SegmentRow]) -> Iterator[tuple[SegmentRow, SegmentRow]]:
    """Yield the first and the last segment of each run without gaps."""
    first = last = None
    for row in sorted(rows, key=lambda row: row["start_ns"]):
        if first is None or last is None:
            first = row
        elif row["start_ns"] != last["end_ns"]:
            yield first, last
            first = row
        last = row
    if first is not None and last is not None:
        yield first, last
