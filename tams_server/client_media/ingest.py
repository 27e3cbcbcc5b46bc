"""Ingest a file or a stream: read, cut, mux, upload, register. Nothing is re-encoded.

A file is read again from its beginning when the ingest resumes after a kill: segments that the store has already are
skipped, and all others are written.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from storage.timerange import TimeRange, format_timestamp, parse_timerange, parse_timestamp
from tams_server.client import Client, NotFound, Retry, RetryPolicy, calls
from tams_server.client.documents import Json
from tams_server.client.exchange import usable_urls
from tams_server.client_media import start_time
from tams_server.client_media.errors import MediaError
from tams_server.client_media.flow_documents import FlowDocuments
from tams_server.client_media.ingest_options import IngestOptions
from tams_server.client_media.ingest_plan import DAMAGE_TAG, START_TAG, Plan, PlannedFlow, make_plan, multi_document
from tams_server.client_media.media_input import Input, frame_rate
from tams_server.client_media.segment_times import FlowClock
from tams_server.client_media.segment_writer import Piece, SegmentWriter
from tams_server.client_media.segmenter import Cut

_CLOSED: Final = "closed_complete"
_APART_S: Final = 2
"""Streams that end so far apart, or so long before their file says, are worth a note. In seconds."""


@dataclass(slots=True)
class FlowResult:
    """What an ingest did to a flow. known: segments that were there before. timerange: None if it has no media."""

    id: str
    kind: str
    codec: str
    container: str
    segments: int = 0
    known: int = 0
    size: int = 0
    peak: float = 0.0
    timerange: TimeRange | None = None


@dataclass(slots=True)
class IngestResult:
    """flows: those with media. multi_id: of the flow that collects; "" for a single essence.

    complete: whether all was there before. damage: what ended it before the end of the input, in words; "" if nothing.
    """

    flows: list[FlowResult]
    multi_id: str
    left_out: list[str] = field(default_factory=list)
    complete: bool = False
    resumed: bool = False
    seconds: float = 0.0
    damage: str = ""
    notes: list[str] = field(default_factory=list)


class Ingest:
    """One ingest of an open input.

    read: called with numbers of bytes while the file is compared with those that the store has. progress: called with
    the end of what has been ingested, in seconds of media. on_retry: of RetryPolicy.
    """

    def __init__(
        self,
        client: Client,
        source: Input,
        options: IngestOptions,
        *,
        read: Callable[[int], None] = lambda size: None,
        progress: Callable[[Fraction], None] = lambda end: None,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self._client = client
        self._source = source
        self._options = options
        self._progress = progress
        self._retry = RetryPolicy(for_s=options.retry_s, on_retry=on_retry)
        self.plan: Plan = make_plan(source, options, read)
        self._by_stream = {stream.index: flow for flow in self.plan.flows for stream in flow.streams}
        self._known: dict[str, set[int]] = {}
        self._documents = FlowDocuments(client, self.plan, options, self._retry)
        self._ends: dict[int, Fraction] = {}
        self._broken: set[str] = set()
        self._damage: MediaError | None = None
        self._stopped = False
        self.result = IngestResult(
            [
                FlowResult(
                    flow.id,
                    flow.kind,
                    "+".join(each.codec_context.codec.canonical_name for each in flow.streams),
                    flow.container.name,
                )
                for flow in self.plan.flows
            ],
            self.plan.multi_id if len(self.plan.members) > 1 else "",
            source.left_out,
        )
        self._results = {each.id: each for each in self.result.flows}

    def stop(self) -> None:
        """End after the frame that is being read, as at the end of the input. Safe in a signal handler."""
        self._stopped = True
        self._source.stop()

    def run(self) -> IngestResult:
        """Ingest all of it. Raises MediaError and ClientError; what was written until then stays, to be resumed.

        Damaged media are stored up to the damage, and their flows closed, which the result says.
        """
        began = time.monotonic()
        found = [self._find(flow) for flow in self.plan.flows]
        self.result.resumed = any(found)
        start = self._start(next((each for each in found if each), None))
        if all(each and each.get("status") == _CLOSED for each in found):
            self._fill_from_store(found)
            return self.result
        clock = FlowClock(self._source.origin, start)
        with SegmentWriter(
            self._client,
            retry=self._retry,
            parallel=self._options.parallel,
            batch_s=0.2 if self._options.live else 2.0,
            verify=self._options.verify,
            storage_id=self._options.storage_id,
        ) as writer:
            for flow in self.plan.flows:
                self._know(flow, writer)
            for flow, cut in self._cuts():
                self._write(flow, cut, clock, writer)
        if not any(each.segments or each.known for each in self.result.flows):
            raise self._damage or MediaError("the input has no frame that can be presented")
        self._note_ends()
        self._documents.collect(self.result.multi_id, clock.start)
        self._close()
        self.result.seconds = time.monotonic() - began
        return self.result

    def preview(self) -> Iterator[Json]:
        """The documents that would be written, by the beginning of the input. Writes nothing."""
        start = self._start(None)
        text = format_timestamp(start)
        seen: set[str] = set()
        for flow, cut in self._cuts():
            if flow.id in seen:
                continue
            seen.add(flow.id)
            yield from self._documents.of(flow, cut, text)
            if len(seen) == len(self.plan.flows):
                break
        if self._damage is not None and not seen:
            raise self._damage
        if self.result.multi_id and not self.plan.muxed:
            yield multi_document(self.plan, self._options, text)

    def _start(self, found: Json | None) -> int:
        known = (found or {}).get("tags", {}).get(START_TAG)
        if isinstance(known, str):
            return parse_timestamp(known)
        rates = [each for each in map(_rate, self._source.streams) if each]
        metadata = dict(self._source.container.metadata)
        for stream in self._source.streams:
            metadata = {**stream.metadata, **metadata}
        default = "now" if self._options.live else "0:0"
        return start_time.start_time(self._options.start or default, metadata, rates[0] if rates else None)

    def _find(self, flow: PlannedFlow) -> Json | None:
        try:
            return self._client.send(calls.flow(flow.id), self._retry)
        except NotFound:
            return None

    def _know(self, flow: PlannedFlow, writer: SegmentWriter) -> None:
        """Note the segments and the init objects that an earlier run has written."""
        known = self._known.setdefault(flow.id, set())
        if not self.result.resumed:
            return
        inits: set[str] = set()
        result = self._results[flow.id]
        for segment in self._client.iterate(calls.segments(flow.id, with_urls=flow.container.has_init)):
            timerange = parse_timerange(segment["timerange"])
            assert timerange.start is not None
            known.add(timerange.start)
            result.timerange = _joined(result.timerange, timerange)
            init = segment.get("init_object")
            if init and init["object_id"] not in inits:
                inits.add(init["object_id"])
                with self._client.download(usable_urls(init.get("get_urls", []))[0]) as response:
                    writer.know_init(flow.id, b"".join(response.iter_raw()), init["object_id"])
        result.known = len(known)
        if known:
            self._documents.created.add(flow.id)

    def _fill_from_store(self, found: Sequence[Json | None]) -> None:
        self.result.complete = True
        for flow in self.result.flows:
            for segment in self._client.iterate(calls.segments(flow.id, with_urls=False)):
                flow.known += 1
                flow.timerange = _joined(flow.timerange, parse_timerange(segment["timerange"]))
        damage = next((each["tags"][DAMAGE_TAG] for each in found if each and DAMAGE_TAG in each.get("tags", {})), "")
        self.result.notes += [f"when it was stored: {damage}"] if damage else []

    def _cuts(self) -> Iterator[tuple[PlannedFlow, Cut]]:
        try:
            for frame in self._source.frames():
                flow = self._by_stream[frame.stream]
                for cut in flow.segmenter.add(frame):
                    yield flow, cut
                self._ends[frame.stream] = max(self._ends.get(frame.stream, frame.end), frame.end)
                self._progress(frame.end)
                if self._stopped:
                    break
        except MediaError as error:
            self._damage = self._damage or error
        for flow in self.plan.flows:
            for cut in flow.segmenter.finish():
                yield flow, cut

    def _write(self, flow: PlannedFlow, cut: Cut, clock: FlowClock, writer: SegmentWriter) -> None:
        timerange = clock.timerange(cut)
        if timerange is None or timerange.start is None or timerange.end is None:
            return
        if timerange.start in self._known[flow.id] or flow.id in self._broken:
            return
        try:
            muxed = flow.muxer.mux(cut.frames, clock.file_shift(cut, flow.container))
        except MediaError as error:
            self._break_off(flow, cut, error)
            return
        if flow.id not in self._documents.created:
            self._documents.create(flow, cut, clock.start)
        piece = Piece(clock.segment(cut, timerange, flow.container), muxed.media, muxed.init)
        writer.put(flow.id, piece, flow.media_type)
        result = self._results[flow.id]
        result.segments += 1
        result.size += len(muxed.media)
        result.peak = max(result.peak, len(muxed.media) * 8e6 / (timerange.end - timerange.start))
        result.timerange = _joined(result.timerange, timerange)

    def _break_off(self, flow: PlannedFlow, cut: Cut, error: MediaError) -> None:
        """Leave out a segment that cannot be made. A live input goes on after it; a file ends there."""
        start = Fraction(0) if cut.start is None else cut.start - self._source.origin
        text = f"the {flow.kind} is damaged after {float(start):.1f} s: {error}"
        if self._options.live:
            self.result.notes.append(text)
            return
        self._damage = self._damage or MediaError(text)
        self._broken.add(flow.id)
        self._stopped = True

    def _note_ends(self) -> None:
        """Say where the clock of the input jumped, and where the input is shorter than it should be."""
        self.result.notes += self._source.notes
        if self._damage is not None:
            ends = [each.timerange.bounds[1] - each.timerange.bounds[0] for each in self.result.flows if each.timerange]
            self.result.damage = f"{self._damage}; what is before is stored, up to {min(ends) / 1e9:.1f} s"
            return
        if self._options.live or not self._ends:
            return
        ended = {index: float(end - self._source.origin) for index, end in self._ends.items()}
        first, last = min(ended, key=ended.__getitem__), max(ended, key=ended.__getitem__)
        if ended[last] - ended[first] > _APART_S:
            kinds = {each.index: each.type for each in self._source.streams}
            told = [f"the {kinds[each]} (stream {each}) ends at {ended[each]:.1f} s" for each in (first, last)]
            self.result.notes.append(", and ".join(told))
        stated = self._source.duration
        if stated and stated - Fraction(ended[last]) > _APART_S:
            self.result.notes.append(f"the input ends at {ended[last]:.1f} s, but states {float(stated):.1f} s")

    def _close(self) -> None:
        rates: dict[str, tuple[int, int]] = {}
        for result in self.result.flows:
            if result.segments and not result.known and result.timerange:
                first, last = result.timerange.bounds
                average = round(result.size * 8e6 / (last - first))
                rates[result.id] = average, max(round(result.peak), average)
        self._documents.close(self.result.multi_id, _CLOSED, rates, self.result.damage)


def _rate(stream: Any) -> Fraction | None:
    return frame_rate(stream, []) if stream.type == "video" else None


def _joined(one: TimeRange | None, other: TimeRange) -> TimeRange:
    if one is None:
        return other
    (first, last), (start, end) = one.bounds, other.bounds
    return TimeRange(min(first, start), max(last, end))
