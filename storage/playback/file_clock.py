"""The clock of a file, and how it lies to the timeline of the object that the file is."""

from typing import Final

from storage.playback import mp2t
from storage.timerange import NS

_NEAR_NS: Final = NS
_WRAP_NS: Final = mp2t.WRAP * NS // mp2t.CLOCK


def shift_to_file(object_start: int, first: int, *, exact: bool) -> int:
    """What to add to times on the timeline of an object to get those in its file, in ns.

    Timestamps are those of the object's timeline, except for how often those of a transport stream have started again,
    unless they are further from it than a second: then the first one is where the object begins.

    object_start: where the object begins on its timeline. first: the first timestamp in the file; both in ns.
    exact: the object begins with that timestamp in any case. Not so in a file with several essences, which begins with
    any of them.
    """
    shift = first - object_start
    distance = (shift + _WRAP_NS // 2) % _WRAP_NS - _WRAP_NS // 2
    return shift - distance if not exact and abs(distance) < _NEAR_NS else shift
