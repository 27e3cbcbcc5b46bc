"""The demo, step by step: a clip goes into a TAMS server, a timerange comes back, and every frame of it is proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import clip as clips
from . import decoding, flows, pattern, segmenting, sound
from .client import Tams
from .report import Report
from .times import SECOND, Span, first_sample, parse_span, parse_timestamp, timestamp

# Neither end falls on a cut, a frame of video or a coded frame of audio.
WANTED = Span(7_500_000_000, 13_200_000_000)

# Few to a page, so that reading back has to follow links.
_PAGE = 3


@dataclass
class Reel:
    """One flow and what has become of it: what was cut for it, the objects that hold it, and what came back."""

    kind: str
    flow: flows.Document
    essence: segmenting.Essence
    object_ids: list[str] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)
    fetched: list[bytes] = field(default_factory=list)

    @property
    def registered(self) -> list[dict[str, Any]]:
        """The segments as they are registered, in order."""
        return [_segment(*pair) for pair in zip(self.object_ids, self.essence.pieces, strict=True)]

    @property
    def wanted(self) -> list[tuple[dict[str, Any], bytes]]:
        """The registered segments that the wanted timerange touches, each with its object's bytes as sent."""
        pairs = zip(self.registered, self.essence.pieces, strict=True)
        return [(segment, piece.media) for segment, piece in pairs if piece.span.overlaps(WANTED)]

    @property
    def placed(self) -> list[decoding.Placed]:
        """What came back, ready to be decoded."""
        pairs = zip(self.found, self.fetched, strict=True)
        return [decoding.Placed(media, parse_span(found["timerange"]), _offset(found)) for found, media in pairs]


@dataclass(frozen=True)
class Stored:
    """What the demo left on the server, for those who want to look at it."""

    video: Reel
    audio: Reel
    multi: flows.Document


def make_clip(path: Path, seconds: int, report: Report) -> clips.Clip:
    """Encodes the clip to path, telling how far it is every five seconds of it."""

    def progress(frames: int) -> None:
        if frames % (5 * clips.FRAME_RATE) == 0:
            report.say(f"    {frames} frames")

    report.say(f"Making a clip of {seconds} s, {pattern.WIDTH}x{pattern.HEIGHT} at {clips.FRAME_RATE} frames a second")
    with report.step("clip encoded") as step:
        clip = clips.make(path, seconds, progress)
        step.count, step.size = f"{clip.frames} frames", path.stat().st_size
    return clip


def tell(service: Tams, clip: clips.Clip, report: Report) -> Stored:
    """Stores the clip, reads the wanted timerange back and checks it; all that is found goes into the report.

    Raises client.Refused, httpx.HTTPError and times.BadTime when the server's answers cannot be worked with.
    """
    stored = _describe(clip, report)
    reels = (stored.video, stored.audio)
    report.say(f"Storing it at {service.base_url}")
    _create(service, stored, report)
    for reel in reels:
        _store(service, reel, report)
    _check_catalogue(service, stored, report)
    report.say(f"Asking for {WANTED}")
    for reel in reels:
        _fetch(service, reel, report)
        _check_segments(reel, report)
        _check_bytes(reel, report)
    _check_pictures(stored.video, report)
    _check_sound(stored.audio, report)
    return stored


def _describe(clip: clips.Clip, report: Report) -> Stored:
    report.say(f"Cutting it into segments of {clips.SEGMENT_SECONDS} s")
    essences = []
    for kind, cut in (("video", segmenting.cut_video), ("audio", segmenting.cut_audio)):
        with report.step(f"{kind} cut") as step:
            essence = cut(clip)
            step.count, step.size = f"{len(essence.pieces)} segments", essence.size
        essences.append(essence)
    video = Reel("video", flows.video_flow(essences[0]), essences[0])
    audio = Reel("audio", flows.audio_flow(essences[1]), essences[1])
    return Stored(video, audio, flows.multi_flow(video.flow, audio.flow))


def _create(service: Tams, stored: Stored, report: Report) -> None:
    with report.step("flows and their sources created") as step:
        # Members before the collection: a collection may name only flows that are there.
        documents = (stored.video.flow, stored.audio.flow, stored.multi)
        for flow in documents:
            service.put_flow(flow)
            service.describe_source(flow["source_id"], label=flow["label"], description=flow["description"])
        step.count = f"{len(documents)} + {len(documents)}"


def _store(service: Tams, reel: Reel, report: Report) -> None:
    pieces = reel.essence.pieces
    with report.step(f"{reel.kind} storage allocated") as step:
        slots = service.allocate(reel.flow["id"], len(pieces))[: len(pieces)]
        step.count = f"{len(slots)} objects"
    with report.step(f"{reel.kind} uploaded") as step:
        for slot, piece in zip(slots, pieces, strict=True):
            service.upload(slot, piece.media)
        step.count, step.size = f"{len(slots)} objects", reel.essence.size
    reel.object_ids = [slot.object_id for slot in slots]
    with report.step(f"{reel.kind} registered in bulk") as step:
        service.register(reel.flow["id"], reel.registered)
        step.count = f"{len(pieces)} segments"


def _fetch(service: Tams, reel: Reel, report: Report) -> None:
    with report.step(f"{reel.kind} segments read back") as step:
        pages = list(service.pages(reel.flow["id"], str(WANTED), _PAGE))
        reel.found = [segment for page in pages for segment in page]
        step.count = f"{len(reel.found)} segments in {len(pages)} pages"
    with report.step(f"{reel.kind} downloaded") as step:
        reel.fetched = [service.download(segment) for segment in reel.found]
        step.count, step.size = f"{len(reel.fetched)} objects", sum(map(len, reel.fetched))


def _check_catalogue(service: Tams, stored: Stored, report: Report) -> None:
    for flow in (stored.video.flow, stored.audio.flow, stored.multi):
        source = service.get(f"/sources/{flow['source_id']}")
        kept = all(source.get(name) == flow[name] for name in ("format", "label", "description"))
        report.check(f"source of {flow['label']!r} exists", kept, f"{source.get('format')}, {source.get('label')!r}")
    for reel in (stored.video, stored.audio):
        whole = Span(reel.essence.pieces[0].span.start, reel.essence.pieces[-1].span.end)
        timerange = service.get(f"/flows/{reel.flow['id']}", include_timerange="true").get("timerange")
        report.check(f"{reel.kind} flow covers the clip", timerange == str(whole), str(timerange))
    members = service.get(f"/flows/{stored.multi['id']}").get("flow_collection", [])
    roles = ", ".join(str(member.get("role")) for member in members)
    report.check("multi flow collects both", members == stored.multi["flow_collection"], roles or "nothing")


def _check_segments(reel: Reel, report: Report) -> None:
    expected = [segment for segment, _ in reel.wanted]
    kept = len(reel.found) == len(expected) and all(map(_same_segment, expected, reel.found))
    ends = f", {reel.found[0].get('timerange')} to {reel.found[-1].get('timerange')}" if reel.found else ""
    report.check(f"{reel.kind} segments are those registered", kept, f"{len(reel.found)} of {len(expected)}{ends}")


def _check_bytes(reel: Reel, report: Report) -> None:
    sent = {segment["object_id"]: media for segment, media in reel.wanted}
    pairs = zip(reel.found, reel.fetched, strict=True)
    same = [sent.get(found["object_id"]) == media for found, media in pairs]
    size = sum(map(len, reel.fetched))
    report.check(
        f"{reel.kind} bytes are those sent",
        all(same) and len(same) == len(sent),
        f"{sum(same)} of {len(sent)} objects identical, {size:,} bytes",
    )


def _check_pictures(reel: Reel, report: Report) -> None:
    try:
        with report.step("video decoded") as step:
            pictures = decoding.decode_video(reel.placed, WANTED)
            step.count = f"{len(pictures)} frames"
    except decoding.Undecodable as damage:
        report.check("video can be decoded", False, str(damage))
        return
    length = SECOND // clips.FRAME_RATE
    first, last = -(-WANTED.start // length), -(-WANTED.end // length) - 1
    seen = [picture.number for picture in pictures]
    ends = f"{len(seen)} frames, {seen[0]} to {seen[-1]}" if seen else "no frame"
    report.check(f"frames are exactly {first} to {last}", seen == list(range(first, last + 1)), ends)
    punctual = [picture.time == picture.number * length for picture in pictures]
    spread = f"{timestamp(pictures[0].time)} to {timestamp(pictures[-1].time)}" if pictures else "no frame"
    report.check("each frame at its own time", bool(punctual) and all(punctual), spread)


def _check_sound(reel: Reel, report: Report) -> None:
    try:
        with report.step("audio decoded") as step:
            heard = decoding.decode_audio(reel.placed, WANTED)
            count = heard.samples.shape[1]
            step.count = f"{count} samples"
    except decoding.Undecodable as damage:
        report.check("audio can be decoded", False, str(damage))
        return
    first, end = (first_sample(instant, sound.RATE) for instant in (WANTED.start, WANTED.end))
    complete = heard.start == first and count == end - first
    report.check(
        f"samples are exactly {first} to {end - 1}", complete, f"{heard.start} to {heard.start + count - 1}, no gap"
    )
    wrong = sound.wrong_pitches(heard.samples, heard.start)
    report.check("the tone climbs in step", not wrong, "; ".join(wrong[:3]) or "every tenth of a second as played")
    late = sound.misalignment(heard.samples, heard.start)
    report.check("sound in time to the sample", late == 0, f"{late} samples late")


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


def _offset(segment: Mapping[str, Any]) -> int:
    return parse_timestamp(segment.get("ts_offset", "0:0"))
