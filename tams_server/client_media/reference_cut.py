"""Edit by reference: a new flow of parts of others, which uses their objects and copies no media.

Timeranges begin and end at frames, or samples, of the flows that they come from.
"""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Final

from storage.timerange import NS, TimeRange, format_timestamp
from tams_server.client import Client, calls
from tams_server.client.documents import Flow, Json
from tams_server.client_media.cut_list import Entry
from tams_server.client_media.errors import MediaError
from tams_server.client_media.flow_reader import StoredSegment, gaps, list_segments
from tams_server.client_media.ticks import in_ns

_BATCH: Final = 300
_MULTI: Final = "urn:x-nmos:format:multi"
_SAME: Final = ("format", "codec", "container")
_SAME_PARAMETERS: Final = ("frame_width", "frame_height", "frame_rate", "sample_rate", "channels", "init_segments")
_KEPT: Final = ("format", "codec", "container", "essence_parameters", "container_mapping", "segment_duration")


@dataclass(slots=True)
class CutResult:
    """What a cut made. members: (id, segments) of the flows with media. missing: what the old flows do not have."""

    flow_id: str
    source_id: str
    timerange: TimeRange
    members: list[tuple[str, int]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class ReferenceCut:
    """Makes a flow, or a multi flow with its members, of entries that name flows of the same structure."""

    def __init__(self, client: Client, entries: list[Entry], label: str, tags: Mapping[str, str]) -> None:
        self._client = client
        self._entries = entries
        self._label = label
        self._tags = dict(tags)
        self._flows: dict[str, Flow] = {}

    def make(self, flow_id: str | None = None) -> CutResult:
        """Create the flows. Nothing is created if entries do not fit together. Raises MediaError and ClientError."""
        first = self._flow(self._entries[0].flow_id)
        self._entries = self._snapped(first)
        whole = TimeRange(self._entries[0].at, self._entries[-1].end)
        result = CutResult(flow_id or str(uuid.uuid4()), str(uuid.uuid4()), whole)
        if first["format"] == _MULTI and not first.get("container"):
            self._make_multi(first, result)
        else:
            document = self._document(self._entries, result.flow_id, result.source_id, self._label)
            if first["format"] == _MULTI:
                document["flow_collection"] = self._essences(first)
            self._write(document, self._entries, result)
        return result

    def _snapped(self, first: Flow) -> list[Entry]:
        """The entries with timeranges that begin and end at frames, those of pictures where there are any.

        All members of a multi flow are cut at the same times, so that they stay in step.
        """
        lead = self._lead(first)
        unit = _frame(lead)
        found: list[Entry] = []
        for entry, before in zip(self._entries, [None, *self._entries], strict=False):
            flow_id = lead["id"] if entry.flow_id == first["id"] else self._lead(self._flow(entry.flow_id))["id"]
            start, end = (self._on_grid(flow_id, time, unit) for time in entry.timerange.bounds)
            at = entry.at
            if before is not None and (entry.at == before.end or entry.at < found[-1].end):
                at = found[-1].end
            found.append(Entry(entry.flow_id, TimeRange(start, end), at))
        found = [entry for entry in found if not entry.timerange.is_empty]
        if not found:
            raise MediaError("no frame begins in the timeranges of the list")
        return found

    def _lead(self, flow: Flow) -> Flow:
        """The flow whose frames say where cuts can be."""
        if flow["format"] != _MULTI:
            return flow
        members = [self._flow(each["id"]) for each in flow.get("flow_collection", [])]
        pictures = [each for each in members if "frame_rate" in (each.get("essence_parameters") or {})]
        chosen = (pictures or members or [flow])[0]
        return {**chosen, "id": chosen["id"] if chosen.get("container") else flow["id"]}

    def _on_grid(self, flow_id: str, time: int, unit: Fraction) -> int:
        for segment in list_segments(self._client, flow_id, TimeRange(time, time + 1)):
            return _grid(segment, time, unit)
        return time

    def _essences(self, first: Flow) -> list[Json]:
        """New flows for the essences in a muxed flow, without files of their own; returns the collection."""
        collection: list[Json] = []
        for member in first.get("flow_collection", []):
            old = self._flow(member["id"])
            essence: Json = {name: old[name] for name in _KEPT if name in old}
            essence |= {"id": str(uuid.uuid4()), "source_id": str(uuid.uuid4())}
            essence |= {"label": f"{self._label} ({member.get('role', '')})", "status": "closed_complete"}
            self._client.send(calls.put_flow(essence))
            collection.append({**member, "id": essence["id"]})
        return collection

    def _make_multi(self, first: Flow, result: CutResult) -> None:
        roles = [(str(each.get("role", "")), each["id"]) for each in first.get("flow_collection", [])]
        if not roles:
            raise MediaError(f"flow {first['id']} collects no flows, and has no media of its own to cut")
        planned = []
        for role, _ in roles:
            entries = [replace(entry, flow_id=self._member(entry.flow_id, role)) for entry in self._entries]
            label = f"{self._label} ({role})"
            planned.append((self._document(entries, str(uuid.uuid4()), str(uuid.uuid4()), label), entries, role))
        for document, entries, _ in planned:
            self._write(document, entries, result)
        collection = [{"id": document["id"], "role": role} for document, _, role in planned]
        multi: Json = {"id": result.flow_id, "source_id": result.source_id, "format": _MULTI, "label": self._label}
        multi |= {"status": "closed_complete", "tags": self._tags, "flow_collection": collection}
        self._client.send(calls.put_flow(multi))
        self._client.send(calls.put_source_member(result.source_id, "label", self._label))

    def _member(self, flow_id: str, role: str) -> str:
        for each in self._flow(flow_id).get("flow_collection", []):
            if each.get("role", "") == role:
                return str(each["id"])
        raise MediaError(f"flow {flow_id} collects no flow with the role {role!r}, as the first flow of the list does")

    def _flow(self, flow_id: str) -> Flow:
        if flow_id not in self._flows:
            self._flows[flow_id] = self._client.send(calls.flow(flow_id))
        return self._flows[flow_id]

    def _document(self, entries: list[Entry], flow_id: str, source_id: str, label: str) -> Json:
        first = self._flow(entries[0].flow_id)
        if not first.get("container"):
            raise MediaError(f"flow {first['id']} has no media of its own: name the flow that collects it")
        for entry in entries[1:]:
            self._compare(first, self._flow(entry.flow_id))
        document: Json = {"id": flow_id, "source_id": source_id, "label": label, "tags": self._tags}
        document |= {name: first[name] for name in _KEPT if name in first}
        return {**document, "status": "ingesting"}

    @staticmethod
    def _compare(first: Flow, other: Flow) -> None:
        pairs: list[tuple[str, Any, Any]] = [(name, first.get(name), other.get(name)) for name in _SAME]
        here, there = first.get("essence_parameters") or {}, other.get("essence_parameters") or {}
        pairs += [(name, here.get(name), there.get(name)) for name in _SAME_PARAMETERS]
        for name, one, another in pairs:
            if one != another:
                raise MediaError(
                    f"flows {first['id']} and {other['id']} do not go into one flow: {name} is {one} and {another}"
                )

    def _write(self, document: Json, entries: list[Entry], result: CutResult) -> None:
        self._client.send(calls.put_flow(document))
        self._client.send(calls.put_source_member(document["source_id"], "label", document["label"]))
        batch: list[Json] = []
        count = 0
        for segment in self._segments(document, entries, result):
            batch.append(segment)
            if len(batch) == _BATCH:
                count += self._add(document["id"], batch)
                batch = []
        count += self._add(document["id"], batch) if batch else 0
        if not count:
            raise MediaError(f"the flows have no media in the timeranges of the list ({result.missing[0]})")
        self._client.send(calls.put_flow({**document, "status": "closed_complete"}))
        result.members.append((document["id"], count))

    def _add(self, flow_id: str, batch: list[Json]) -> int:
        failed = self._client.send(calls.add_segments(flow_id, batch))
        if failed:
            raise MediaError(f"{len(failed)} of {len(batch)} segments were not registered: {failed[0].get('error')}")
        return len(batch)

    def _segments(self, document: Json, entries: list[Entry], result: CutResult) -> Iterator[Json]:
        unit = _frame(document)
        reached = entries[0].at
        for entry in entries:
            found = list(list_segments(self._client, entry.flow_id, entry.timerange))
            result.missing += [f"{gap} of flow {entry.flow_id}" for gap in gaps(found, entry.timerange)]
            shift = entry.at - entry.timerange.bounds[0]
            for segment in found:
                wanted = entry.timerange.intersection(TimeRange(reached - shift, None))
                part = _part(segment, wanted, unit)
                if part.is_empty:
                    continue
                yield _segment(segment, part, shift)
                # A sample that begins in one part may end in the next, which then begins a sample later.
                reached = part.bounds[1] + shift


def _segment(segment: StoredSegment, part: TimeRange, shift: int) -> Json:
    document: Json = {"object_id": segment.object_id, "timerange": str(part.shifted(shift))}
    offset = segment.ts_offset + shift
    return {**document, "ts_offset": format_timestamp(offset)} if offset else document


def _part(segment: StoredSegment, wanted: TimeRange, unit: Fraction) -> TimeRange:
    """What a timerange takes of a segment: the frames that begin in it."""
    first, last = wanted.bounds
    return TimeRange(_grid(segment, first, unit), _grid(segment, last, unit)).intersection(segment.timerange)


def _grid(segment: StoredSegment, time: int, unit: Fraction) -> int:
    """The first frame of a segment at or after a time, in ns; the time itself if it is outside."""
    if time <= segment.start or time >= segment.end:
        return time
    count = Fraction(time - segment.start, NS) / unit
    nearest = round(count)
    if abs(segment.start + in_ns(nearest, unit) - time) > 1:
        nearest = -(-count.numerator // count.denominator)
    return min(segment.start + in_ns(nearest, unit), segment.end)


def _frame(flow: Flow) -> Fraction:
    """The length of a frame or of a sample, in seconds; a nanosecond if it varies."""
    parameters = flow.get("essence_parameters") or {}
    rate = parameters.get("frame_rate")
    if rate:
        return Fraction(rate.get("denominator", 1), rate["numerator"])
    return Fraction(1, parameters["sample_rate"]) if "sample_rate" in parameters else Fraction(1, NS)
