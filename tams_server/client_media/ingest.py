"""Ingest a file or a stream: read, cut, mux, upload, register. Nothing is re-encoded.

A file is read again from its beginning when the ingest resumes after a kill: segments that the store has already are
skipped, and all others are written.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from storage.timerange import TimeRange, format_timestamp, parse_timerange, parse_timestamp
from tams_server.client import Client, ClientError, NotFound, RetryPolicy, calls
from tams_server.client.documents import Json
from tams_server.client.exchange import usable_urls
from tams_server.client_media import start_time
from tams_server.client_media.errors import MediaError
from tams_server.client_media.ingest_options import IngestOptions
from tams_server.client_media.ingest_plan import (
    START_TAG,
    Plan,
    PlannedFlow,
    collection,
    flow_document,
    label_of,
    make_plan,
    member_document,
    multi_document,
)
from tams_server.client_media.media_input import Input, frame_rate
from tams_server.client_media.segment_times import FlowClock
from tams_server.client_media.segment_writer import Piece, SegmentWriter
from tams_server.client_media.segmenter import Cut

_CLOSED: Final = "closed_complete"


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

    complete: whether all was there before.
    """

    flows: list[FlowResult]
    multi_id: str
    left_out: list[str] = field(default_factory=list)
    complete: bool = False
    resumed: bool = False
    seconds: float = 0.0


class Ingest:
    """One ingest of an open input. progress: called with the end of what has been read, in seconds of media."""

    def __init__(
        self,
        client: Client,
        source: Input,
        options: IngestOptions,
        *,
        progress: Callable[[Fraction], None] = lambda end: None,
        on_retry: Callable[[ClientError], None] | None = None,
    ) -> None:
        self._client = client
        self._source = source
        self._options = options
        self._progress = progress
        self._on_retry = on_retry
        self._retry = RetryPolicy(for_s=options.retry_s)
        self.plan: Plan = make_plan(source, options)
        self._by_stream = {stream.index: flow for flow in self.plan.flows for stream in flow.streams}
        self._known: dict[str, set[int]] = {}
        self._created: set[str] = set()
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
        if self._source.pipe is not None:
            self._source.pipe.stop()

    def run(self) -> IngestResult:
        """Ingest all of it. Raises MediaError and ClientError; what was written until then stays, to be resumed."""
        began = time.monotonic()
        found = [self._find(flow) for flow in self.plan.flows]
        self.result.resumed = any(found)
        start = self._start(next((each for each in found if each), None))
        if all(each and each.get("status") == _CLOSED for each in found):
            self.result.complete = True
            return self.result
        clock = FlowClock(self._source.origin, start)
        with SegmentWriter(
            self._client,
            retry=self._retry,
            parallel=self._options.parallel,
            batch_s=0.2 if self._options.live else 2.0,
            verify=self._options.verify,
            storage_id=self._options.storage_id,
            on_retry=self._on_retry,
        ) as writer:
            for flow in self.plan.flows:
                self._know(flow, writer)
            for flow, cut in self._cuts():
                self._write(flow, cut, clock, writer)
        if not any(each.segments or each.known for each in self.result.flows):
            raise MediaError("the input has no frame that can be presented")
        self._collect(clock)
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
            yield from self._documents(flow, cut, text)
            if len(seen) == len(self.plan.flows):
                break
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
            self._created.add(flow.id)

    def _cuts(self) -> Iterator[tuple[PlannedFlow, Cut]]:
        for frame in self._source.frames():
            flow = self._by_stream[frame.stream]
            for cut in flow.segmenter.add(frame):
                yield flow, cut
            self._progress(frame.end)
            if self._stopped:
                break
        for flow in self.plan.flows:
            for cut in flow.segmenter.finish():
                yield flow, cut

    def _write(self, flow: PlannedFlow, cut: Cut, clock: FlowClock, writer: SegmentWriter) -> None:
        timerange = clock.timerange(cut)
        if timerange is None or timerange.start is None or timerange.end is None:
            return
        if timerange.start in self._known[flow.id]:
            return
        if flow.id not in self._created:
            self._create(flow, cut, clock)
        shift = clock.file_shift(cut, flow.container)
        muxed = flow.muxer.mux(cut.frames, shift)
        piece = Piece(clock.segment(cut, timerange, flow.container), muxed.media, muxed.init)
        writer.put(flow.id, piece, flow.media_type)
        result = self._results[flow.id]
        result.segments += 1
        result.size += len(muxed.media)
        result.peak = max(result.peak, len(muxed.media) * 8e6 / (timerange.end - timerange.start))
        result.timerange = _joined(result.timerange, timerange)

    def _create(self, flow: PlannedFlow, cut: Cut, clock: FlowClock) -> None:
        start = format_timestamp(clock.start)
        for document in self._documents(flow, cut, start):
            self._client.send(calls.put_flow(document), self._retry)
            self._describe(document)
        self._created.add(flow.id)

    def _documents(self, flow: PlannedFlow, cut: Cut, start: str) -> Iterator[Json]:
        """The documents of a flow and, if it is muxed, of its essences before it."""
        starts = {
            each.index: [frame.start for frame in cut.frames if frame.stream == each.index] for each in flow.streams
        }
        if self.plan.muxed:
            for member in self.plan.members:
                yield member_document(member, starts[member[2].index], self._options, start)
            document = flow_document(flow, [], self._options, start)
            yield {**document, "flow_collection": collection(self.plan)}
        else:
            yield flow_document(flow, starts[flow.primary.index], self._options, start)

    def _describe(self, document: Json) -> None:
        source_id, format_ = document["source_id"], document["format"]
        label = label_of(self._options, format_.rpartition(":")[2])
        self._client.send(calls.put_source_member(source_id, "label", label), self._retry)
        if self._options.description:
            self._client.send(calls.put_source_member(source_id, "description", self._options.description), self._retry)
        for name, value in self._options.tags.items():
            self._client.send(calls.put_source_tag(source_id, name, value), self._retry)

    def _collect(self, clock: FlowClock) -> None:
        """Create the flow that collects the others, of which all exist now; those without media are left out."""
        if not self.result.multi_id or self.plan.muxed:
            return
        start = format_timestamp(clock.start)
        document = multi_document(self.plan, self._options, start)
        document["flow_collection"] = [each for each in document["flow_collection"] if each["id"] in self._created]
        self._client.send(calls.put_flow(document), self._retry)
        self._describe(document)

    def _close(self) -> None:
        ids = [flow.id for flow in self.plan.flows if flow.id in self._created]
        ids += [flow_id for flow_id, _, _ in self.plan.members] if self.plan.muxed else []
        ids += [self.result.multi_id] if self.result.multi_id and not self.plan.muxed else []
        for flow_id in ids:
            document = self._client.send(calls.flow(flow_id), self._retry)
            document["status"] = _CLOSED
            result = self._results.get(flow_id)
            if result and result.segments and not result.known and result.timerange:
                first, last = result.timerange.bounds
                document["avg_bit_rate"] = round(result.size * 8e6 / (last - first))
                document["max_bit_rate"] = max(round(result.peak), document["avg_bit_rate"])
            self._client.send(calls.put_flow(document), self._retry)


def _rate(stream: Any) -> Fraction | None:
    return frame_rate(stream, []) if stream.type == "video" else None


def _joined(one: TimeRange | None, other: TimeRange) -> TimeRange:
    if one is None:
        return other
    (first, last), (start, end) = one.bounds, other.bounds
    return TimeRange(min(first, start), max(last, end))
