"""Events made by comparing listings from poll to poll, for servers that do not reach this machine."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from storage.timerange import TimeRange, parse_timerange
from tams_server.client import Client, NotFound, calls
from tams_server.client_cli.event_receiver import Wanted

CHANGED = "flows/segments_changed"
"""Segments were added or deleted, and polling does not tell which."""
_CHANGING = ("segments_updated", "timerange", "metadata_updated")
_Document = dict[str, Any]


@dataclass(slots=True)
class _Known:
    """What the last poll knew. metadata: a fingerprint. segments: when they were last changed. end: of the flow."""

    metadata: bytes
    segments: str = ""
    end: int | None = None


def polled(client: Client, wanted: Wanted, interval_s: float, ready: Callable[[], None]) -> Iterator[_Document]:
    """Events from now on, without end. ready: called once changes will be seen. Raises ClientError."""
    watcher = Watcher(client, wanted)
    for _ in watcher.look():  # what there is, is no event
        pass
    ready()
    while True:
        time.sleep(interval_s)
        yield from watcher.look()


class Watcher:
    """Compares what there is with what the last look found."""

    def __init__(self, client: Client, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._flows: dict[str, _Known] = {}
        self._sources: dict[str, _Known] = {}

    def look(self) -> Iterator[_Document]:
        """The events since the last look."""
        for event in self._look():
            if event["event_type"] in self._wanted.events or (
                event["event_type"] == CHANGED
                and {"flows/segments_added", "flows/segments_deleted"} & set(self._wanted.events)
            ):
                yield event

    def _look(self) -> Iterator[_Document]:
        if not self._wanted.flow_ids and any(name.startswith("sources/") for name in self._wanted.events):
            yield from self._compare("source", self._list_sources(), self._sources)
        if any(name.startswith("flows/") for name in self._wanted.events):
            yield from self._compare("flow", self._list_flows(), self._flows)

    def _compare(self, kind: str, documents: Iterator[_Document], known: dict[str, _Known]) -> Iterator[_Document]:
        gone = set(known)
        for document in documents:
            id_ = document["id"]
            gone.discard(id_)
            now, then = _known(document), known.get(id_)
            known[id_] = now
            if then is None:
                yield _event(f"{kind}s/created", {kind: document})
                continue
            if now.metadata != then.metadata:
                yield _event(f"{kind}s/updated", {kind: document})
            if now.segments != then.segments:
                yield self._segments(document, now, then)
            elif now.end is None:
                now.end = then.end
        for id_ in gone:
            del known[id_]
            yield _event(f"{kind}s/deleted", {f"{kind}_id": id_})

    def _segments(self, flow: _Document, now: _Known, then: _Known) -> _Document:
        """What happened to the segments of a flow."""
        if now.end is None:
            now.end = _end(self._client.send(calls.flow(flow["id"], with_timerange=True)))
        if then.end is not None and now.end is not None and now.end > then.end:
            listing = calls.segments(flow["id"], TimeRange(then.end, None), with_urls=False)
            added = [each for each in self._client.iterate(listing) if _starts_at(each, then.end)]
            if added:
                return _event("flows/segments_added", {"flow_id": flow["id"], "segments": added})
        return _event(CHANGED, {"flow_id": flow["id"]})

    def _list_flows(self) -> Iterator[_Document]:
        if self._wanted.flow_ids:
            for flow_id in self._wanted.flow_ids:
                try:
                    yield self._client.send(calls.flow(flow_id, with_timerange=True))
                except NotFound:
                    continue
        elif self._wanted.source_ids:
            for source_id in self._wanted.source_ids:
                yield from self._client.iterate(calls.flows(source_id=source_id))
        else:
            yield from self._client.iterate(calls.flows())

    def _list_sources(self) -> Iterator[_Document]:
        if not self._wanted.source_ids:
            for each in self._client.iterate(calls.sources()):
                yield dict(each)
        for source_id in self._wanted.source_ids:
            try:
                source = self._client.send(calls.source(source_id))
                yield dict(source)
            except NotFound:
                continue


def _known(document: _Document) -> _Known:
    version = document.get("metadata_version")
    if version is None:
        left = {name: value for name, value in document.items() if name not in _CHANGING}
        version = json.dumps(left, sort_keys=True)
    fingerprint = hashlib.blake2b(str(version).encode(), digest_size=16).digest()
    return _Known(fingerprint, str(document.get("segments_updated", "")), _end(document))


def _end(flow: _Document) -> int | None:
    """Where a flow ends, in nanoseconds; None if it is empty, or if the document does not say."""
    if "timerange" not in flow:
        return None
    timerange = parse_timerange(str(flow["timerange"]))
    return timerange.start if timerange.is_empty else timerange.end


def _starts_at(segment: Any, end: int) -> bool:
    start = parse_timerange(str(segment["timerange"])).start
    return start is not None and start >= end


def _event(type_: str, event: _Document) -> _Document:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"event_timestamp": now, "event_type": type_, "event": event}
