"""Which bytes of an object segments use that use only a part of it, where that can be told exactly."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.kept import Kept
from storage.catalog.playback.key_frames import KeyFrames
from storage.catalog.playback.object_content import Deadline, Instances, opened, read_stored_instances, store_of
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
_MOST_KEPT: Final = 20_000

AUDIO: Final = "urn:x-nmos:format:audio"

_Found = MediaSegment | None


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
    """The parts that one process has found."""

    def __init__(self, env: Environment, key_frames: KeyFrames) -> None:
        self._env = env
        self._key_frames = key_frames
        self._kept: Kept[tuple[_Found]] = Kept(env.clock, _MOST_KEPT)

    def find(self, sample: PartSample, deadline: Deadline) -> list[MediaSegment]:
        """The segments of which the bytes can be told exactly. Raises: Unavailable after the deadline."""
        found: list[_Found] = []
        by_object = sorted(sample.parts, key=_object_id)
        for object_id, group in groupby(by_object, key=_object_id):
            unknown = []
            for part in group:
                kept = self._kept.get(_key(sample, part))
                if kept is None:
                    unknown.append(part)
                else:
                    found.append(kept[0])
            if unknown:
                deadline.check(f"flow {sample.flow['id']}")
                found += self._read(object_id, unknown, sample)
        return [each for each in found if each is not None]

    def _read(self, object_id: str, parts: Sequence[Part], sample: PartSample) -> list[_Found]:
        place = store_of(self._env, sample.instances, object_id, "transfer")
        stored = None if place is None else place[0].stat(place[1])
        found: list[_Found] = []
        points: dict[str | None, list[CutPoint]] = {}
        for part in parts:
            init_id = part.segment.init_object_id
            result = None
            if stored is not None and stored.size <= _MOST_BYTES:
                if init_id not in points:
                    points[init_id] = self._cut_points(object_id, init_id, sample)
                used = _bytes_of(part, points[init_id], stored.size)
                result = None if used is None else replace(part.segment, byte_range=used)
            found += self._kept.put(_key(sample, part), (result,), complete=stored is not None)
        return found

    def _cut_points(self, object_id: str, init_id: str | None, sample: PartSample) -> list[CutPoint]:
        """Where an object can be cut, by the times that it has itself."""
        track = None if init_id is None else self._key_frames.track(init_id, sample.instances)
        if init_id is not None and track is None:
            return []
        with opened(self._env, sample.instances, object_id, "transfer") as content:
            if content is None:
                return []
            if track is None:
                return cut_points(mp2t.read_units(content, sample.kind, _MOST_BYTES) or [])
            return cut_points(mp4.read_units(content, track, _MOST_BYTES) or [])


def _object_id(part: Part) -> str:
    return part.segment.object_id


def _key(sample: PartSample, part: Part) -> Hashable:
    return part, sample.kind, sample.instances.backends


def _bytes_of(part: Part, points: Sequence[CutPoint], size: int) -> tuple[int, int] | None:
    if not points:
        return None
    exact = part.segment.init_object_id is not None
    shift = shift_to_file(part.object_start, points[0].time, exact=exact)
    start, end = (None if each is None else each + shift for each in (part.start, part.end))
    return byte_range(points, start, end, size)
