"""The numbers of live playlists, on which all processes agree (storage.playback.numbering)."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from storage.catalog.live_anchors import StoredAnchor, anchor_key, read_stored_anchor, store_anchor
from storage.catalog.playback.flow_media import read_between
from storage.catalog.retry import retried
from storage.errors import Conflict, Unavailable
from storage.playback.gaps import with_gaps
from storage.playback.media_playlist import target_duration
from storage.playback.media_segment import MediaSegment
from storage.playback.numbering import Anchor, first_anchor, numbered
from storage.tables.engine import Engine
from storage.tables.transaction import Reader

_log = logging.getLogger(__name__)

_MOST_BETWEEN: Final = 2_000
"""If more segments than this have come since the anchor, nobody has played the flow for long."""


@dataclass(frozen=True, slots=True)
class LiveWindow:
    """What a live playlist lists of a flow.

    segments: in order, with the gaps between them. slack: as for `media_segment`. target_s: the least target duration
    in seconds.
    is_last: whether it ends where the flow ends, so that its numbers are those of all players.
    discontinuity: the discontinuity sequence number of the first segment, if the flow has never been played live; None
    for any.
    """

    flow_id: str
    segments: list[MediaSegment]
    slack: int
    target_s: int
    is_last: bool
    discontinuity: int | None = None


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """segments: those of the window, with their numbers. target_s: at least that of all earlier playlists."""

    segments: list[Anchor]
    target_s: int


def live_numbers(engine: Engine, window: LiveWindow) -> LiveNumbers:
    """The numbers of a live window, which has one segment at least.

    The anchor is moved, by a write, when it is about to leave the window. If that write fails, the numbers are still
    right, and the next request tries again.
    """
    with engine.read() as tx:
        stored = read_stored_anchor(tx, window.flow_id)
        found = None if stored is None else _numbered(tx, window, stored.anchor)
    numbers = LiveNumbers(found or [], _target(window, stored))
    middle = window.segments[len(window.segments) // 2].start
    if stored is not None and found is not None:
        if not window.is_last or (stored.anchor.segment.start >= middle and numbers.target_s == stored.target_s):
            return numbers
        try:
            return _move_anchor(engine, window)
        except (Unavailable, Conflict) as error:
            _log.warning("the numbers of flow %s played live cannot be recorded now: %s", window.flow_id, error)
            return numbers
    return _move_anchor(engine, window)


def next_numbers(engine: Engine, flow_id: str) -> tuple[int, int, int]:
    """What a live playlist without segments says, as it must not go back to zero (RFC 8216, section 6.2.2).

    Returns the least numbers of what may come next, media sequence and discontinuity, and the target duration in
    seconds of earlier playlists; 0 and 1 if there have been none.
    """
    with engine.read() as tx:
        stored = read_stored_anchor(tx, flow_id)
    if stored is None:
        return 0, 0, 1
    return stored.anchor.sequence + 1, stored.anchor.discontinuity, stored.target_s


@retried
def _move_anchor(engine: Engine, window: LiveWindow) -> LiveNumbers:
    """Number the segments by the anchor as it is now, and make the last of them the anchor."""
    with engine.write() as tx:
        tx.lock(anchor_key(window.flow_id))
        stored = read_stored_anchor(tx, window.flow_id)
        former = None if stored is None else stored.anchor
        found = None if former is None else _numbered(tx, window, former)
        is_new = found is None
        if found is None:
            first = first_anchor(window.segments[0], former)
            if former is None and window.discontinuity is not None:
                first = replace(first, discontinuity=window.discontinuity)
            found = numbered(window.segments, first)
        new = StoredAnchor(found[-1], _target(window, stored))
        if stored is not None and not is_new and stored.anchor.segment.start > new.anchor.segment.start:
            new = StoredAnchor(stored.anchor, new.target_s)
        if stored is None or (window.is_last and new != stored):
            store_anchor(tx, window.flow_id, new)
    return LiveNumbers(found, new.target_s)


def _target(window: LiveWindow, stored: StoredAnchor | None) -> int:
    return target_duration(window.segments, max(window.target_s, 1 if stored is None else stored.target_s))


def _numbered(tx: Reader, window: LiveWindow, anchor: Anchor) -> list[Anchor] | None:
    """The segments with their numbers; None if they cannot be counted from the anchor.

    That is so if too many lie between, or if segments lie before the anchor, but neither it nor a gap is at its place:
    then the flow has been written again, and the numbers before the anchor may be those of other segments.
    """
    segments, at = window.segments, anchor.segment
    first, last = segments[0].start, segments[-1].start
    if at.start < first:
        between = read_between(tx, window.flow_id, at.start, first, window.slack, _MOST_BETWEEN)
        if between is None:
            return None
        return numbered(list(with_gaps([*between, *segments], at)), anchor)[-len(segments) :]
    after: list[MediaSegment] | None = []
    if at.start > last:
        after = read_between(tx, window.flow_id, last, at.start + 1, window.slack, _MOST_BETWEEN)
    if after is None:
        return None
    found = list(with_gaps([*segments, *after]))
    if not any(each.is_same(at) or (each.is_gap and each.start == at.start) for each in found):
        return None
    return numbered(found, anchor)[: len(segments)]
