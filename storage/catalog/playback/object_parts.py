"""Which bytes of an object segments use that use only a part of it, where that can be told exactly."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.kept import Kept
from storage.catalog.playback.key_frames import KeyFrames
from storage.catalog.playback.object_content import (
    Deadline,
    Instances,
    TookLong,
    opened,
    read_stored_instances,
    store_of,
)
from storage.catalog.playback.turns import Turns
from storage.playback import mp2t, mp4
from storage.playback.cut_points import CutPoint, byte_range, cut_points
from storage.playback.file_clock import shift_to_file
from storage.playback.media_segment import MediaSegment, Part
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader

MOST_OBJECTS: Final = 50
"""Of which parts are used in one playlist, since each is read as a whole."""
UNKNOWN_PART: Final = "only a part of their object, and players cannot be told which bytes these are"
"""Why segments are not played."""
_MOST_BYTES: Final = 64 * 2**20
_MOST_POINTS: Final = 300_000
_EARLY: Final = 0.5
"""An object that is begun before this part of the time, and not read when it ends, takes too long by itself."""

AUDIO: Final = "urn:x-nmos:format:audio"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where an object can be cut. size: in bytes."""

    size: int
    points: Sequence[CutPoint]


@dataclass(frozen=True, slots=True)
class PartSample:
    """Parts of objects of a flow, with instances of these objects and their init objects."""

    flow: FlowRow
    parts: Sequence[Part]
    instances: Instances

    @property
    def kind(self) -> mp2t.Kind:
        """Of the streams in a transport stream that the flow is."""
        return "audio" if self.flow["doc"]["format"] == AUDIO else "video"


def read_part_sample(
    tx: Reader, env: Environment, flow: FlowRow, parts: Sequence[Part], filters: GetUrlFilter
) -> PartSample:
    """Those of the parts that are in the first MOST_OBJECTS objects, which are the same for all requests."""
    ids = list(dict.fromkeys(each.segment.object_id for each in parts))[:MOST_OBJECTS]
    chosen = [each for each in parts if each.segment.object_id in ids]
    inits = [each.segment.init_object_id for each in chosen if each.segment.init_object_id]
    return PartSample(flow, chosen, read_stored_instances(tx, env, [*ids, *inits], filters))


class ObjectParts:
    """The cut points that one process has found."""

    def __init__(self, env: Environment, key_frames: KeyFrames, turns: Turns) -> None:
        self._env = env
        self._key_frames = key_frames
        self._turns = turns
        self._kept: Kept[_Layout] = Kept(env.clock, _MOST_POINTS)

    def find(self, sample: PartSample, deadline: Deadline) -> list[MediaSegment]:
        """The segments of the parts, in their order. Those of which the bytes cannot be told exactly are gaps.

        Raises: Unavailable after the deadline, or if others read too much.
        """
        needed = {_key(sample, part): part.segment for part in sample.parts}
        layouts = {key: kept for key in needed if (kept := self._kept.get(key)) is not None}
        if len(layouts) < len(needed):
            what = f"flow {sample.flow['id']}"
            with self._turns.turn(what):
                for key in [key for key in needed if key not in layouts]:
                    layouts[key] = self._kept.get(key) or self._read(key, needed[key], sample, deadline, what)
        return [_used(part, layouts[_key(sample, part)]) for part in sample.parts]

    def _read(self, key: Hashable, segment: MediaSegment, sample: PartSample, deadline: Deadline, what: str) -> _Layout:
        deadline.check(what)
        place = store_of(self._env, sample.instances, segment.object_id, "transfer")
        stored = None if place is None else place[0].stat(place[1])
        layout = _Layout(0 if stored is None else stored.size, ())
        is_early = not deadline.has_used(_EARLY)
        try:
            if 0 < layout.size <= _MOST_BYTES:
                layout = replace(layout, points=self._cut_points(segment, sample, lambda: deadline.check(what)))
        except TookLong:
            if is_early:
                # Otherwise, it would take the time of each request that follows.
                self._kept.put(key, layout, complete=True)
            raise
        return self._kept.put(key, layout, complete=stored is not None, size=1 + len(layout.points))

    def _cut_points(self, segment: MediaSegment, sample: PartSample, check: Callable[[], None]) -> Sequence[CutPoint]:
        """Where an object can be cut, by the times that it has itself."""
        init_id = segment.init_object_id
        track = None if init_id is None else self._key_frames.track(init_id, sample.instances)
        if init_id is not None and track is None:
            return ()
        with opened(self._env, sample.instances, segment.object_id, "transfer") as content:
            if content is None:
                return ()
            if track is None:
                return cut_points(*(mp2t.read_units(content, sample.kind, _MOST_BYTES, check) or ((), ())))
            return cut_points(mp4.read_units(content, track, _MOST_BYTES, check) or ())


def _key(sample: PartSample, part: Part) -> Hashable:
    return part.segment.object_id, part.segment.init_object_id, sample.kind, sample.instances.backends


def _used(part: Part, layout: _Layout) -> MediaSegment:
    used = _bytes_of(part, layout.points, layout.size)
    return part.segment._replace(byte_range=used, is_gap=used is None)


def _bytes_of(part: Part, points: Sequence[CutPoint], size: int) -> tuple[int, int] | None:
    if not points:
        return None
    exact = part.segment.init_object_id is not None
    shift = shift_to_file(part.object_start, points[0].time, exact=exact)
    start, end = (None if each is None else each + shift for each in (part.start, part.end))
    return byte_range(points, start, end, size)
