"""Whether anything will still be added to what a playlist shows."""

from collections.abc import Mapping
from typing import Any, Final

from storage.catalog.clock import SECOND
from storage.catalog.flows.content_range import recorded_content_span
from storage.playback.essence import fraction
from storage.tables.rows import FlowRow
from storage.timerange import TimeRange

_COMPLETE: Final = "closed_complete"
_QUIET_S: Final = 60
_QUIET_SEGMENTS: Final = 10
"""A flow without a status is complete when its segments have not changed for a minute, or for ten segments if
that is more."""
_RECENT_S: Final = 600
"""Longer than players take to reload a playlist."""


def is_complete(flow: FlowRow, timerange: TimeRange, now: int) -> bool:
    """Whether the flow is complete, or its part in the timerange: what comes later lies beyond it.

    now: in microseconds since 1970.
    """
    if ends_before_flow(flow, timerange):
        return True
    status = flow["status"]
    if status is not None:
        return status == _COMPLETE
    updated = flow["segments_updated"]
    return updated is not None and now - updated > _quiet_us(flow["doc"])


def ends_before_flow(flow: FlowRow, timerange: TimeRange) -> bool:
    """Whether what is added at the end of the flow lies beyond the timerange."""
    content = recorded_content_span(flow)
    return content is not None and content[0] < content[1] and timerange.end is not None and timerange.end <= content[1]


def changed_recently(flow: FlowRow, now: int) -> bool:
    """Whether players may still reload a playlist that they read before the flow was complete.

    now: in microseconds since 1970.
    """
    return now - _completed_at(flow) <= _RECENT_S * SECOND


def complete_for(flow: FlowRow, timerange: TimeRange, now: int) -> float:
    """For how long the flow, or its part in the timerange, has been complete, in microseconds; 0 if it is not.

    What the flow has after the timerange is taken to have come in real time. now: in microseconds since 1970.
    """
    if not is_complete(flow, timerange, now):
        return 0
    content = recorded_content_span(flow)
    beyond = 0 if content is None or timerange.end is None else content[1] - timerange.end
    return max(now - _completed_at(flow), beyond / 1000)


def _completed_at(flow: FlowRow) -> float:
    """When a complete flow became so, or has changed since, in microseconds since 1970."""
    changed = flow["segments_updated"] or 0
    return changed + _quiet_us(flow["doc"]) if flow["status"] is None else max(changed, flow["metadata_updated"])


def is_settled(flow: FlowRow, timerange: TimeRange, now: int) -> bool:
    """Whether the flow, or its part in the timerange, is complete, and no player can have read it before it was.

    now: in microseconds since 1970.
    """
    return is_complete(flow, timerange, now) and not changed_recently(flow, now)


def segment_seconds(flow: Mapping[str, Any]) -> float:
    """The duration that the writer of a flow aims at for its segments, in seconds; 0 if it says none."""
    return float(fraction(flow.get("segment_duration")) or 0)


def _quiet_us(flow: Mapping[str, Any]) -> float:
    return max(_QUIET_S, _QUIET_SEGMENTS * segment_seconds(flow)) * SECOND
