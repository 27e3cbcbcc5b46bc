"""Where the key frames are with which segments begin, for players that show pictures while they seek."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.playback.kept import Kept
from storage.catalog.playback.object_content import Deadline, Instances, opened, store_of
from storage.catalog.playback.turns import Turns
from storage.playback import mp2t, mp4
from storage.playback.codecs import HEAD_BYTES
from storage.playback.media_segment import MediaSegment

MOST_PICTURES: Final = 1000
"""In one playlist, each of which is a read of its own."""
_MOST_BYTES: Final = 2 * 2**20
"""How much of an object is read to find the end of its first picture."""
_MOST_KEPT: Final = 100_000

_Range = tuple[int, int]


class KeyFrames:
    """The key frames that one process has found."""

    def __init__(self, env: Environment, turns: Turns) -> None:
        self._env = env
        self._turns = turns
        self._kept: Kept[tuple[_Range | None]] = Kept(env.clock, _MOST_KEPT)
        self._tracks: Kept[tuple[mp4.Track | None]] = Kept(env.clock, _MOST_KEPT)

    def find(
        self, segments: Sequence[MediaSegment], instances: Instances, deadline: Deadline, what: str
    ) -> dict[str, _Range]:
        """The bytes of the picture with which each segment begins, by object id, if that is a key frame.

        As the first byte and the one after the last. what: is played, for the error.
        Raises: Unavailable after the deadline, or if others read too much.
        """
        needed = {each.object_id: each for each in segments}
        found = {id_: kept for id_, each in needed.items() if (kept := self._kept.get(_key(each, instances)))}
        if len(found) < len(needed):
            with self._turns.turn(what):
                for id_ in [id_ for id_ in needed if id_ not in found]:
                    deadline.check(what)
                    picture = self._read(needed[id_], instances, lambda: deadline.check(what))
                    found[id_] = self._kept.put(_key(needed[id_], instances), (picture,), complete=picture is not None)
        return {id_: kept[0] for id_, kept in found.items() if kept[0] is not None}

    def _read(self, segment: MediaSegment, instances: Instances, check: Callable[[], None]) -> _Range | None:
        if segment.init_object_id is not None:
            track = self.track(segment.init_object_id, instances)
            if track is None:
                return None
            with opened(self._env, instances, segment.object_id) as content:
                return None if content is None else mp4.read_key_frame(content, track)
        with opened(self._env, instances, segment.object_id) as content:
            found = None if content is None else mp2t.read_key_frame(content, _MOST_BYTES, check)
        if found is None:
            return None
        first, after = found
        return (first, after) if after is not None else self._until_end(first, segment.object_id, instances)

    def _until_end(self, first: int, object_id: str, instances: Instances) -> _Range | None:
        place = store_of(self._env, instances, object_id)
        stored = None if place is None else place[0].stat(place[1])
        return None if stored is None else (first, stored.size)

    def track(self, init_object_id: str, instances: Instances) -> mp4.Track | None:
        """The track of an init object; None if it cannot be read, or has several."""
        key = init_object_id, instances.backends
        kept = self._tracks.get(key)
        if kept is None:
            with opened(self._env, instances, init_object_id) as content:
                track = None if content is None else mp4.read_track(content.read(HEAD_BYTES))
            kept = self._tracks.put(key, (track,), complete=track is not None)
        return kept[0]


def _key(segment: MediaSegment, instances: Instances) -> Hashable:
    return segment.object_id, segment.init_object_id, instances.backends
