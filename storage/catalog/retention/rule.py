"""What the tags of a flow say about how long it and its segments are kept."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from storage import error_codes
from storage.catalog.retention_tags import FLOW_OFFSET, LOOP_DURATION, SEGMENT_OFFSET
from storage.errors import Invalid
from storage.tables.limits import clip
from storage.timerange import EARLIEST, NS, parse_storable_timestamp

_SECONDS = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long a flow and its segments are kept, in nanoseconds; None for no limit.

    segment_offset: added to the end of a segment, gives the TAI time at which it is due. flow_offset: added to the last
    change of the flow, gives the time at which the flow is due. loop_duration: how much of its timeline is kept, back
    from the end of its last segment.
    ignored: by name, why a tag is not followed.
    """

    segment_offset: int | None = None
    flow_offset: int | None = None
    loop_duration: int | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)

    def segments_due_before(self, content_end: int, tai_now: int) -> int | None:
        """Return the time up to which segments are due: those that end then or earlier. None if none can be.

        content_end: of the last segment, in ns. tai_now: in ns.
        """
        limits = []
        if self.segment_offset is not None:
            limits.append(tai_now - self.segment_offset)
        if self.loop_duration is not None:
            limits.append(content_end - self.loop_duration)
        return max((limit for limit in limits if limit > EARLIEST), default=None)

    def flow_due_at(self, last_change: int) -> int | None:
        """Return when the flow is due, if ever. last_change: of metadata or segments, whichever is later, in ns."""
        return None if self.flow_offset is None else last_change + self.flow_offset


def retention_rule(tags: Mapping[str, str | Sequence[str]]) -> RetentionRule:
    """Return what the tags of a flow say. A tag that is not understood deletes nothing."""
    found: dict[str, int] = {}
    ignored: dict[str, str] = {}
    for name, parse in _PARSERS.items():
        if name not in tags:
            continue
        try:
            found[name] = parse(_single_text(name, tags[name]), name)
        except Invalid as error:
            ignored[name] = error.message
    return RetentionRule(found.get(SEGMENT_OFFSET), found.get(FLOW_OFFSET), found.get(LOOP_DURATION), ignored)


def _single_text(name: str, value: str | Sequence[str]) -> str:
    texts = [value] if isinstance(value, str) else value
    if len(texts) != 1:
        raise Invalid(f"{name} must have one value, not {len(texts)}", code=error_codes.RETENTION_TAG, field=name)
    return texts[0].strip()


def _flow_offset(text: str, name: str) -> int:
    offset = parse_storable_timestamp(text, name)
    if offset < 0:
        raise Invalid(
            f"{name} must not be negative, as {text} is: the flow would be due before it exists",
            code=error_codes.RETENTION_TAG,
            field=name,
        )
    return offset


def _duration(text: str, name: str) -> int:
    """Seconds, as AWS's loop recorder reads them, with a fraction if need be."""
    match = _SECONDS.fullmatch(text)
    duration = int(match[1]) * NS + int((match[2] or "").ljust(9, "0")) if match else 0
    if duration <= 0:
        raise Invalid(
            f"{name} must be a positive number of seconds such as 900, not {clip(text, 80)!r}",
            code=error_codes.RETENTION_TAG,
            field=name,
        )
    return duration


_PARSERS: Final[Mapping[str, Callable[[str, str], int]]] = {
    SEGMENT_OFFSET: parse_storable_timestamp,
    FLOW_OFFSET: _flow_offset,
    LOOP_DURATION: _duration,
}
