"""What an export reads: the tracks of a flow or source, their segments in the wanted timerange, and the gaps."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from storage.timerange import NS, TimeRange, format_timestamp, parse_timerange
from tams_server.client import Client, NotFound, calls
from tams_server.client.documents import Flow
from tams_server.client_media.errors import MediaError
from tams_server.client_media.flow_reader import ObjectReader, StoredSegment, continues, gaps, list_segments
from tams_server.client_media.stored_frames import FrameReader
from tams_server.client_media.ticks import in_ns

_KINDS: Final = {"urn:x-nmos:format:video": "video", "urn:x-nmos:format:audio": "audio"}
_MULTI: Final = "urn:x-nmos:format:multi"
_SOUND_FRAME_NS: Final = 50_000_000
"""The longest coded frame of sound: 2,048 samples at 44.1 kHz take 46.4 ms."""
_PRIMING_NS: Final = 100_000_000
"""Sound is read from so much earlier, for decoders that need the frame before."""


@dataclass(slots=True)
class Track:
    """An essence to export. flow: the one with the files. number: of the stream of this kind in them.

    rate: of video frames, or samples; None if it varies. before: segments that are only there to begin decoding.
    """

    flow: Flow
    kind: str
    number: int
    rate: Fraction | None
    segments: list[StoredSegment] = field(default_factory=list)
    before: list[StoredSegment] = field(default_factory=list)
    gaps: list[TimeRange] = field(default_factory=list)

    @property
    def label(self) -> str:
        return str(self.flow.get("label") or self.flow["id"])


@dataclass(slots=True)
class ExportPlan:
    """tracks: video before audio. timerange: what is exported, finite; with video it starts where a frame does."""

    tracks: list[Track]
    timerange: TimeRange


def plan_export(client: Client, id_: str, timerange: TimeRange, kinds: tuple[str, ...]) -> ExportPlan:
    """Plan the export of a flow or source. kinds: which essences to take. Raises MediaError and ClientError."""
    tracks = [track for track in _tracks(client, id_) if track.kind in kinds]
    video = [track for track in tracks if track.kind == "video"][:1]
    tracks = [*video, *(track for track in tracks if track.kind == "audio")]
    if not tracks:
        raise MediaError(f"{id_} has no {' and no '.join(kinds)} with media of its own to export")
    return _filled(client, tracks, _bounded(client, tracks, timerange))


def to_key_frames(client: Client, plan: ExportPlan, reader: ObjectReader) -> ExportPlan:
    """Widen a plan to the key frames around it, at which pictures can be cut without re-encoding them."""
    track = plan.tracks[0]
    if track.kind != "video":
        return plan
    frames = FrameReader(reader, "video", track.number, track.rate)
    start, end = plan.timerange.bounds
    first, last = track.segments[0], track.segments[-1]
    before = [frame.start for frame in frames.frames([first]) if frame.key and frame.start <= start]
    after = [frame.start for frame in frames.frames([last]) if frame.key and frame.start >= end]
    widened = TimeRange(max(before, default=max(start, first.start)), min(after, default=max(end, last.end)))
    return _filled(client, plan.tracks, widened)


def _filled(client: Client, tracks: list[Track], wanted: TimeRange) -> ExportPlan:
    """The plan with the segments of its tracks."""
    for track in tracks:
        track.segments = list(list_segments(client, track.flow["id"], wanted))
    if not any(track.segments for track in tracks):
        raise MediaError(f"no media in {wanted}: {_extent_hint(client, tracks)}")
    tracks = [track for track in tracks if track.segments]
    if tracks[0].kind == "video":
        first, end = _first_frame(tracks[0], wanted.bounds[0]), wanted.bounds[1]
        if first >= end:
            raise MediaError(f"no frame begins in {wanted}: the next one is at {format_timestamp(first)}")
        wanted = TimeRange(first, end)
    for track in tracks:
        _add_before(client, track, wanted.bounds[0])
        track.gaps = [gap for gap in gaps(track.segments, wanted) if _length(gap) > _negligible(track, len(tracks))]
    return ExportPlan(tracks, wanted)


def _length(gap: TimeRange) -> int:
    first, last = gap.bounds
    return last - first


def _negligible(track: Track, tracks: int) -> int:
    """The longest gap, in ns, that comes from frames of different lengths in pictures and sound."""
    if track.kind == "video":
        return in_ns(1, 1 / track.rate) if track.rate else _SOUND_FRAME_NS
    return _SOUND_FRAME_NS if tracks > 1 else 0


def _tracks(client: Client, id_: str) -> Iterator[Track]:
    flow = _flow(client, id_)
    if flow["format"] != _MULTI:
        if flow.get("container"):
            yield from _essence(flow, flow, 0)
        else:
            yield from _collecting(client, flow)
        return
    yield from _members(client, flow)


def _collecting(client: Client, essence: Flow) -> Iterator[Track]:
    """The track of an essence that is only in the files of a flow that collects it."""
    for flow_id in essence.get("collected_by", []):
        flow = client.send(calls.flow(flow_id))
        if flow.get("container"):
            yield from _members(client, flow, only=essence["id"])
            return


def _members(client: Client, flow: Flow, only: str | None = None) -> Iterator[Track]:
    counts: dict[str, int] = {}
    for member in flow.get("flow_collection", []):
        essence = client.send(calls.flow(member["id"]))
        kind = _KINDS.get(essence["format"], "")
        mapping = member.get("container_mapping", {})
        number = mapping.get("format_track_index", counts.get(kind, 0))
        counts[kind] = counts.get(kind, 0) + 1
        if only not in (None, member["id"]):
            continue
        if essence.get("container"):
            yield from _essence(essence, essence, 0)
        elif flow.get("container"):
            yield from _essence(essence, flow, number)


def _essence(essence: Flow, files: Flow, number: int) -> Iterator[Track]:
    kind = _KINDS.get(essence["format"])
    parameters = essence.get("essence_parameters") or {}
    if kind == "video":
        rate = parameters.get("frame_rate")
        fixed = Fraction(rate["numerator"], rate.get("denominator", 1)) if rate and not parameters.get("vfr") else None
        yield Track(files, kind, number, fixed)
    elif kind == "audio":
        yield Track(files, kind, number, Fraction(parameters["sample_rate"]))


def _flow(client: Client, id_: str) -> Flow:
    """The flow, or of a source the flow to export: the one that collects others, else the best that has files."""
    try:
        return client.send(calls.flow(id_))
    except NotFound:
        flows = list(client.iterate(calls.flows(source_id=id_)))
    usable = [flow for flow in flows if flow.get("flow_collection") or flow.get("container")]
    if not usable:
        # The error names the flow, as most ids are of flows.
        return client.send(calls.flow(id_))
    return min(usable, key=lambda flow: (flow.get("generation", 0), -int(flow.get("avg_bit_rate", 0))))


def _bounded(client: Client, tracks: list[Track], timerange: TimeRange) -> TimeRange:
    if timerange.start is not None and timerange.end is not None:
        return timerange
    extents = [each for each in (_extent(client, track) for track in tracks) if not each.is_empty]
    if not extents:
        raise MediaError("the flow has no media")
    known = [each.bounds for each in extents]
    return timerange.intersection(TimeRange(min(each[0] for each in known), max(each[1] for each in known)))


def _extent(client: Client, track: Track) -> TimeRange:
    return parse_timerange(client.send(calls.flow(track.flow["id"], with_timerange=True)).get("timerange", "()"))


def _extent_hint(client: Client, tracks: list[Track]) -> str:
    extent = _extent(client, tracks[0])
    return "the flow is empty" if extent.is_empty else f"the flow has {extent}"


def _first_frame(track: Track, start: int) -> int:
    """When the first frame at or after a time begins, if the rate is fixed; else that time."""
    segment = track.segments[0]
    if track.rate is None:
        return start
    if start <= segment.start:
        # What begins less than a frame after the sound begins with it.
        return segment.start if segment.start - start < in_ns(1, 1 / track.rate) else start
    count = -(-(start - segment.start) * track.rate.numerator // (track.rate.denominator * NS))
    while count and segment.start + in_ns(count - 1, 1 / track.rate) >= start:
        count -= 1
    return segment.start + in_ns(count, 1 / track.rate)


def _add_before(client: Client, track: Track, start: int) -> None:
    """Note the segments that a decoder has to begin with, if they lead on to the first one."""
    first = track.segments[0]
    early = TimeRange(first.start - 1, first.start)
    if track.kind == "audio":
        if start - first.start > _PRIMING_NS:
            return
        early = TimeRange(start - _PRIMING_NS, first.start)
    before = [each for each in list_segments(client, track.flow["id"], early) if each.end <= first.start]
    if before and continues(before[-1], first):
        track.before = before[-1:]
