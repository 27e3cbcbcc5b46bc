"""The outbox of events, written in the same transaction as the change that they report (EVT-*).

Each event is stored with the facts that webhook filters look at, as they were when it happened (FLT-08, FLT-09).
Nothing is recorded while no webhook is enabled.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.spans import covering_timerange
from storage.tables.conditions import equals
from storage.tables.engine import Reader, Writer
from storage.tables.rows import EventRow, FlowRow, SegmentRow

_MAX_SEGMENTS_PER_EVENT = 200
_MAX_SEGMENT_BYTES = 64_000
"""A larger registration is reported by several events (AMB-23). The size is that of the segments as they are stored."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as filters see it. flow_id: None for events about sources. flow_collected_by and
    source_collected_by: ids of the collections that contain the flow and the source."""

    flow_id: str | None
    source_id: str
    flow_collected_by: Sequence[str] = ()
    source_collected_by: Sequence[str] = ()


def flow_subject(tx: Reader, flow_id: str, source_id: str) -> Subject:
    """Return the subject of events about a flow."""
    return Subject(flow_id, source_id, _collectors(tx, "collections", flow_id), _source_collectors(tx, source_id))


def _source_collectors(tx: Reader, source_id: str) -> list[str]:
    return _collectors(tx, "source_collections", source_id)


def _collectors(tx: Reader, table: str, member_id: str) -> list[str]:
    return [row["collector_id"] for row in tx.select(table, equals(member_id=member_id), columns=["collector_id"])]


class EventJournal:
    """Collects the events of one transaction; `write` inserts them at its end."""

    def __init__(self, tx: Writer, env: Environment) -> None:
        self._tx = tx
        self._env = env
        self._rows: list[EventRow] = []
        self._wanted: bool | None = None

    @property
    def wanted(self) -> bool:
        """Whether any webhook is enabled. If not, callers need not gather what events would report."""
        if self._wanted is None:
            self._wanted = bool(self._tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"]))
        return self._wanted

    def flow(self, event_type: str, doc: Document, moment: str | None = None) -> None:
        """Record flows/created or flows/updated.

        doc: the flow as a GET returns it from now on. moment: the time of the change (RFC 3339); now by default.
        """
        if self.wanted:
            source_collectors = _source_collectors(self._tx, doc["source_id"])
            subject = Subject(doc["id"], doc["source_id"], doc.get("collected_by", ()), source_collectors)
            self._add(event_type, subject, {"flow": doc}, moment)

    def source(self, event_type: str, doc: Document, moment: str | None = None) -> None:
        """Record sources/created or sources/updated. doc, moment: as for `flow`."""
        if self.wanted:
            self._add(event_type, Subject(None, doc["id"], (), doc.get("collected_by", ())), {"source": doc}, moment)

    def flow_deleted(self, subject: Subject) -> None:
        self._add("flows/deleted", subject, {"flow_id": subject.flow_id})

    def source_deleted(self, subject: Subject) -> None:
        self._add("sources/deleted", subject, {"source_id": subject.source_id})

    def segments_added(self, flow: FlowRow, rows: Sequence[SegmentRow]) -> None:
        """Record flows/segments_added, in events of bounded size (EVT-SA-01 to -04)."""
        if not self.wanted:
            return
        subject = flow_subject(self._tx, flow["id"], flow["source_id"])
        for part in _parts([_segment(row) for row in rows]):
            self._add("flows/segments_added", subject, {"flow_id": flow["id"], "segments": part})

    def segments_deleted(self, subject: Subject, rows: Iterable[SegmentRow]) -> None:
        """Record one flows/segments_deleted for each run of adjacent segments (EVT-SD-01, -04, AMB-22).

        rows: start_ns, end_ns and timerange of the segments, in any order.
        """
        for first, last in _adjacent_runs(rows):
            timerange = str(covering_timerange(first["timerange"], last["timerange"]))
            self._add("flows/segments_deleted", subject, {"flow_id": subject.flow_id, "timerange": timerange})

    def write(self) -> None:
        """Insert the recorded events."""
        self._tx.insert("events", self._rows, fresh=True)

    def _add(self, event_type: str, subject: Subject, event: Document, moment: str | None = None) -> None:
        if not self.wanted:
            return
        now = self._env.clock()
        message = {"event_timestamp": moment or rfc3339(now), "event_type": event_type, "event": event}
        position = now * 1000 + len(self._rows)
        doc = {"subject": asdict(subject), "message": message}
        self._rows.append({"id": str(uuid.uuid4()), "position": position, "pending": True, "doc": doc})


@contextmanager
def write_with_events(env: Environment) -> Iterator[tuple[Writer, EventJournal]]:
    """A write transaction with a journal, whose events are committed with the change or rolled back with it."""
    with env.engine.write() as tx:
        journal = EventJournal(tx, env)
        yield tx, journal
        journal.write()


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
