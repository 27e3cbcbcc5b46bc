"""The steps of the demo: store a clip in a TAMS server, read a timerange back, and verify every frame of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import clip as clips
from . import decoding, flows, pattern, segmenting, sound
from .client import Tams
from .report import Report
from .timeline import SECOND, Span, first_sample, parse_span, parse_timestamp, timestamp

# Neither end is at a cut, a video frame or a coded audio frame.
REQUESTED = Span(7_500_000_000, 13_200_000_000)

# Small pages, so that reading back has to follow links.
_PAGE = 3


@dataclass
class FlowTransfer:
    """A flow, its segments, the objects that contain them, and the segments and media that were read back."""

    kind: str
    flow: flows.Document
    essence: segmenting.Essence
    object_ids: list[str] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    downloads: list[bytes] = field(default_factory=list)

    @property
    def registered(self) -> list[dict[str, Any]]:
        """The segments as registered, in order."""
        return [_segment(*pair) for pair in zip(self.object_ids, self.essence.pieces, strict=True)]

    @property
    def requested(self) -> list[tuple[dict[str, Any], bytes]]:
        """The registered segments that overlap the requested timerange, each with the bytes that were sent."""
        pairs = zip(self.registered, self.essence.pieces, strict=True)
        return [(segment, piece.media) for segment, piece in pairs if piece.span.overlaps(REQUESTED)]

    @property
    def downloaded(self) -> list[decoding.DownloadedSegment]:
        """The segments that were read back, ready for decoding."""
        pairs = zip(self.listed, self.downloads, strict=True)
        return [
            decoding.DownloadedSegment(media, parse_span(found["timerange"]), _ts_offset(found))
            for found, media in pairs
        ]


@dataclass(frozen=True)
class Stored:
    """The flows that the demo stored on the server."""

    video: FlowTransfer
    audio: FlowTransfer
    multi: flows.Document


def make_clip(path: Path, seconds: int, report: Report) -> clips.Clip:
    """Encode the clip to `path`, and print the progress every five seconds of it."""

    def progress(frames: int) -> None:
        if frames % (5 * clips.FRAME_RATE) == 0:
            report.print_line(f"    {frames} frames")

    report.print_line(
        f"Encoding a clip of {seconds} s, {pattern.WIDTH}x{pattern.HEIGHT} at {clips.FRAME_RATE} frames a second"
    )
    with report.step("clip encoded") as step:
        clip = clips.make(path, seconds, progress)
        step.count, step.size = f"{clip.frames} frames", path.stat().st_size
    return clip


def run_demo(service: Tams, clip: clips.Clip, report: Report) -> Stored:
    """Store the clip, read the requested timerange back and check it. Results go to the report.

    Raises client.ApiError, httpx.HTTPError or timeline.TimeFormatError for responses that cannot be used.
    """
    stored = _cut_and_describe(clip, report)
    transfers = (stored.video, stored.audio)
    report.print_line(f"Storing it at {service.base_url}")
    _create(service, stored, report)
    for transfer in transfers:
        _store(service, transfer, report)
    _check_catalogue(service, stored, report)
    report.print_line(f"Requesting {REQUESTED}")
    for transfer in transfers:
        _read_back(service, transfer, report)
        _check_segments(transfer, report)
        _check_bytes(transfer, report)
    _check_pictures(stored.video, report)
    _check_sound(stored.audio, report)
    return stored


def _cut_and_describe(clip: clips.Clip, report: Report) -> Stored:
    report.print_line(f"Cutting it into segments of {clips.SEGMENT_SECONDS} s")
    essences = []
    for kind, cut in (("video", segmenting.cut_video), ("audio", segmenting.cut_audio)):
        with report.step(f"{kind} cut") as step:
            essence = cut(clip)
            step.count, step.size = f"{len(essence.pieces)} segments", essence.size
        essences.append(essence)
    video = FlowTransfer("video", flows.video_flow(essences[0]), essences[0])
    audio = FlowTransfer("audio", flows.audio_flow(essences[1]), essences[1])
    return Stored(video, audio, flows.multi_flow(video.flow, audio.flow))


def _create(service: Tams, stored: Stored, report: Report) -> None:
    with report.step("flows and their sources created") as step:
        # Members before the collection: a collection may only name existing flows.
        documents = (stored.video.flow, stored.audio.flow, stored.multi)
        for flow in documents:
            service.put_flow(flow)
            service.describe_source(flow["source_id"], label=flow["label"], description=flow["description"])
        step.count = f"{len(documents)} + {len(documents)}"


def _store(service: Tams, transfer: FlowTransfer, report: Report) -> None:
    pieces = transfer.essence.pieces
    with report.step(f"{transfer.kind} storage allocated") as step:
        slots = service.allocate(transfer.flow["id"], len(pieces))[: len(pieces)]
        step.count = f"{len(slots)} objects"
    with report.step(f"{transfer.kind} uploaded") as step:
        for slot, piece in zip(slots, pieces, strict=True):
            service.upload(slot, piece.media)
        step.count, step.size = f"{len(slots)} objects", transfer.essence.size
    transfer.object_ids = [slot.object_id for slot in slots]
    with report.step(f"{transfer.kind} registered in bulk") as step:
        service.register(transfer.flow["id"], transfer.registered)
        step.count = f"{len(pieces)} segments"


def _read_back(service: Tams, transfer: FlowTransfer, report: Report) -> None:
    with report.step(f"{transfer.kind} segments read back") as step:
        pages = list(service.pages(transfer.flow["id"], str(REQUESTED), _PAGE))
        transfer.listed = [segment for page in pages for segment in page]
        step.count = f"{len(transfer.listed)} segments in {len(pages)} pages"
    with report.step(f"{transfer.kind} downloaded") as step:
        transfer.downloads = [service.download(segment) for segment in transfer.listed]
        step.count, step.size = f"{len(transfer.downloads)} objects", sum(map(len, transfer.downloads))


def _check_catalogue(service: Tams, stored: Stored, report: Report) -> None:
    for flow in (stored.video.flow, stored.audio.flow, stored.multi):
        source = service.get(f"/sources/{flow['source_id']}")
        kept = all(source.get(name) == flow[name] for name in ("format", "label", "description"))
        report.check(f"source of {flow['label']!r} exists", kept, f"{source.get('format')}, {source.get('label')!r}")
    for transfer in (stored.video, stored.audio):
        whole = Span(transfer.essence.pieces[0].span.start, transfer.essence.pieces[-1].span.end)
        timerange = service.get(f"/flows/{transfer.flow['id']}", include_timerange="true").get("timerange")
        report.check(f"{transfer.kind} flow covers the clip", timerange == str(whole), str(timerange))
    members = service.get(f"/flows/{stored.multi['id']}").get("flow_collection", [])
    roles = ", ".join(str(member.get("role")) for member in members)
    report.check("multi flow collects both", members == stored.multi["flow_collection"], roles or "nothing")


def _check_segments(transfer: FlowTransfer, report: Report) -> None:
    expected = [segment for segment, _ in transfer.requested]
    kept = len(transfer.listed) == len(expected) and all(map(_same_segment, expected, transfer.listed))
    ends = (
        f", {transfer.listed[0].get('timerange')} to {transfer.listed[-1].get('timerange')}" if transfer.listed else ""
    )
    report.check(
        f"{transfer.kind} segments are those registered", kept, f"{len(transfer.listed)} of {len(expected)}{ends}"
    )


def _check_bytes(transfer: FlowTransfer, report: Report) -> None:
    sent = {segment["object_id"]: media for segment, media in transfer.requested}
    pairs = zip(transfer.listed, transfer.downloads, strict=True)
    same = [sent.get(found["object_id"]) == media for found, media in pairs]
    size = sum(map(len, transfer.downloads))
    report.check(
        f"{transfer.kind} bytes are those sent",
        all(same) and len(same) == len(sent),
        f"{sum(same)} of {len(sent)} objects identical, {size:,} bytes",
    )


def _check_pictures(transfer: FlowTransfer, report: Report) -> None:
    try:
        with report.step("video decoded") as step:
            pictures = decoding.decode_video(transfer.downloaded, REQUESTED)
            step.count = f"{len(pictures)} frames"
    except decoding.Undecodable as damage:
        report.check("video can be decoded", False, str(damage))
        return
    length = SECOND // clips.FRAME_RATE
    first, last = -(-REQUESTED.start // length), -(-REQUESTED.end // length) - 1
    seen = [picture.number for picture in pictures]
    ends = f"{len(seen)} frames, {seen[0]} to {seen[-1]}" if seen else "no frame"
    report.check(f"frames are exactly {first} to {last}", seen == list(range(first, last + 1)), ends)
    punctual = [picture.time == picture.number * length for picture in pictures]
    spread = f"{timestamp(pictures[0].time)} to {timestamp(pictures[-1].time)}" if pictures else "no frame"
    report.check("each frame at its own time", bool(punctual) and all(punctual), spread)


def _check_sound(transfer: FlowTransfer, report: Report) -> None:
    try:
        with report.step("audio decoded") as step:
            heard = decoding.decode_audio(transfer.downloaded, REQUESTED)
            count = heard.samples.shape[1]
            step.count = f"{count} samples"
    except decoding.Undecodable as damage:
        report.check("audio can be decoded", False, str(damage))
        return
    first, end = (first_sample(instant, sound.RATE) for instant in (REQUESTED.start, REQUESTED.end))
    complete = heard.start == first and count == end - first
    report.check(
        f"samples are exactly {first} to {end - 1}", complete, f"{heard.start} to {heard.start + count - 1}, no gap"
    )
    wrong = sound.wrong_pitches(heard.samples, heard.start)
    report.check("the tone rises in step", not wrong, "; ".join(wrong[:3]) or "every tenth of a second is correct")
    late = sound.lag_in_samples(heard.samples, heard.start)
    report.check("sound is in sync to the sample", late == 0, f"{late} samples late")


def _segment(object_id: str, piece: segmenting.Piece) -> dict[str, Any]:
    segment = {
        "object_id": object_id,
        "timerange": str(piece.span),
        "ts_offset": timestamp(piece.ts_offset),
        "object_timerange": str(piece.object_span),
    }
    if piece.last_duration is not None:
        segment["last_duration"] = timestamp(piece.last_duration)
    return segment if piece.key_frames is None else {**segment, "key_frame_count": piece.key_frames}


def _same_segment(sent: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return all(found.get(name) == value for name, value in sent.items())


def _ts_offset(segment: Mapping[str, Any]) -> int:
    return parse_timestamp(segment.get("ts_offset", "0:0"))
