"""Discontinuity numbers of the flows of a live programme, which players align by them (RFC 8216bis, 6.2.4)."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from storage.catalog.live_anchors import read_stored_anchor
from storage.catalog.playback.completeness import segment_seconds
from storage.catalog.playback.flow_media import read_window
from storage.catalog.playback.live_numbers import LiveWindow, live_numbers
from storage.errors import Conflict, Unavailable
from storage.playback.essence import kind_of
from storage.playback.gaps import with_gaps
from storage.playback.media_segment import slack_of
from storage.playback.numbering import Anchor
from storage.tables.engine import Engine
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.timerange import ETERNITY, NS

_log = logging.getLogger(__name__)

_OLD_NS: Final = 600 * NS
"""How far the anchor of a flow may be behind those of the others."""


def align_numbers(engine: Engine, flows: Sequence[FlowRow], window_s: int) -> None:
    """Number those flows of a programme that have never been played live, as its first pictures are numbered.

    Afterwards each is numbered by itself (`live_numbers`), and players that change to another sound later find its
    discontinuities where they expect them. Flows that nobody has played for long are numbered too, from where they can
    still be counted. If nothing can be written, the next request tries again.
    """
    leader = next((each for each in flows if kind_of(each["doc"]) == "video"), flows[0])
    with engine.read() as tx:
        stored = [read_stored_anchor(tx, each["id"]) for each in flows]
        last = max((each.anchor.segment.start for each in stored if each is not None), default=0)
        old = [
            flow
            for flow, each in zip(flows, stored, strict=True)
            if each is None or each.anchor.segment.start < last - _OLD_NS
        ]
        if not old:
            return
        leading = _window(tx, leader, window_s)
        windows = [_window(tx, each, window_s) for each in old if each is not leader]
    if not leading.segments:
        return
    try:
        numbers = live_numbers(engine, leading).segments
        for window in windows:
            if window.segments:
                live_numbers(engine, replace(window, discontinuity=_number_at(numbers, window)))
    except (Unavailable, Conflict) as error:
        _log.warning("the numbers of flows played live with flow %s cannot be recorded now: %s", leader["id"], error)


def _window(tx: Reader, flow: FlowRow, window_s: int) -> LiveWindow:
    slack = slack_of(flow["doc"])
    segments = list(with_gaps(read_window(tx, flow, ETERNITY, slack, window_s * NS).segments))
    return LiveWindow(flow["id"], segments, slack, max(1, ceil(segment_seconds(flow["doc"]))), is_last=True)


def _number_at(numbers: Sequence[Anchor], window: LiveWindow) -> int:
    """The discontinuity number that the leading flow has in the middle of the first segment of another."""
    first = window.segments[0]
    middle = first.start + first.duration // 2
    return next((each for each in reversed(numbers) if each.segment.start <= middle), numbers[0]).discontinuity
