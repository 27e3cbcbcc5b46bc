"""What has happened, recorded in the transaction in which it happens: the outbox of events (EVT-*).

Each event is kept with what filters of webhooks ask about, as it was at that moment (FLT-08, FLT-09). Where nobody
listens nothing is recorded.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.flows.content_range import hull
from storage.tables.conditions import equals
from storage.tables.engine import Reader, Row, Writer

_SEGMENTS_AT_ONCE = 200
"""Segments of one message (AMB-23)."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about, as filters see it. flow_id: None for events of sources."""

    flow_id: str | None
    source_id: str
    flow_collected_by: Sequence[str] = ()
    source_collected_by: Sequence[str] = ()


def subject_of_flow(tx: Reader, flow_id: str, source_id: str) -> Subject:
    return Subject(flow_id, source_id, _collectors(tx, "collections", flow_id), _source_collectors(tx, source_id))


def _source_collectors(tx: Reader, source_id: str) -> list[str]:
    return _collectors(tx, "source_collections", source_id)


def _collectors(tx: Reader, table: str, member_id: str) -> list[str]:
    return [row["collector_id"] for row in tx.select(table, equals(member_id=member_id), columns=["collector_id"])]


class Journal:
    """The events of one transaction, written when it ends."""

    def __init__(self, tx: Writer, env: Environment) -> None:
        self._tx = tx
        self._env = env
        self._rows: list[Row] = []
        self._wanted: bool | None = None

    @property
    def wanted(self) -> bool:
        """Whether any webhook listens, so that it is worth while to find out what to tell."""
        if self._wanted is None:
            self._wanted = bool(self._tx.select("webhooks", equals(enabled=True), limit=1, columns=["id"]))
        return self._wanted

    def flow(self, event_type: str, doc: Document, moment: str | None = None) -> None:
        """flows/created or flows/updated, with the flow as a GET would now show it. moment: of the change; now unless
        given."""
        if self.wanted:
            collected = _source_collectors(self._tx, doc["source_id"])
            subject = Subject(doc["id"], doc["source_id"], doc.get("collected_by", ()), collected)
            self._add(event_type, subject, {"flow": doc}, moment)

    def source(self, event_type: str, doc: Document, moment: str | None = None) -> None:
        """sources/created or sources/updated, likewise."""
        if self.wanted:
            self._add(event_type, Subject(None, doc["id"], (), doc.get("collected_by", ())), {"source": doc}, moment)

    def flow_deleted(self, subject: Subject) -> None:
        self._add("flows/deleted", subject, {"flow_id": subject.flow_id})

    def source_deleted(self, subject: Subject) -> None:
        self._add("sources/deleted", subject, {"source_id": subject.source_id})

    def segments_added(self, flow: Row, rows: Sequence[Row]) -> None:
        """flows/segments_added, in messages of bounded size (EVT-SA-01 to -04)."""
        if not self.wanted:
            return
        subject = subject_of_flow(self._tx, flow["id"], flow["source_id"])
        segments = [_segment(row) for row in rows]
        for start in range(0, len(segments), _SEGMENTS_AT_ONCE):
            part = segments[start : start + _SEGMENTS_AT_ONCE]
            self._add("flows/segments_added", subject, {"flow_id": flow["id"], "segments": part})

    def segments_deleted(self, subject: Subject, rows: Iterable[Row]) -> None:
        """flows/segments_deleted, one for each run of adjacent segments (EVT-SD-01, -04, AMB-22).

        rows: start_ns, end_ns and timerange of the segments.
        """
        for first, last in _runs(rows):
            timerange = str(hull(first["timerange"], last["timerange"]))
            self._add("flows/segments_deleted", subject, {"flow_id": subject.flow_id, "timerange": timerange})

    def write(self) -> None:
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
def change(env: Environment) -> Iterator[tuple[Writer, Journal]]:
    """A write transaction and its journal: what is recorded there is written with the change, or not at all."""
    with env.engine.write() as tx:
        journal = Journal(tx, env)
        yield tx, journal
        journal.write()


def _segment(row: Row) -> dict[str, Any]:
    """A segment without its URLs, which are made when the event is sent (TRF-09)."""
    init = {} if row["init_object_id"] is None else {"init_object_id": row["init_object_id"]}
    return {"object_id": row["object_id"], "timerange": row["timerange"], **row["doc"], **init}


def _runs(rows: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """The first and the last of each run of segments that follow each other without a gap."""
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
