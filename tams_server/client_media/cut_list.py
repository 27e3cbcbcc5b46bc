"""Edit lists: which timerange of which flow goes where in a new flow.

Two forms: text, of one entry a line, and OpenTimelineIO (`otio_list`). A line is `FLOW TIMERANGE`, `gap DURATION`, or a
JSON object with `flow` and `timerange`, or `gap`, and in either form `at` to place it. A `#` begins a comment.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from storage.errors import Invalid
from storage.timerange import TimeRange, format_timestamp, parse_timerange, parse_timestamp
from tams_server.client_media.errors import MediaError


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a flow, and where it begins in the new flow, in ns. timerange: of the old flow, finite."""

    flow_id: str
    timerange: TimeRange
    at: int

    @property
    def end(self) -> int:
        """Where it ends in the new flow, in ns."""
        first, last = self.timerange.bounds
        return self.at + last - first


def read_list(lines: Iterable[str], start: int) -> list[Entry]:
    """The entries of a text, one after another from `start` ns on, or where they say. Raises MediaError by line."""
    found: list[Entry] = []
    at = start
    for number, line in enumerate(_decoded(lines), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            members = _members(text)
            at = parse_timestamp(members["at"], "at") if "at" in members else at
            if "gap" in members:
                at += _duration(members["gap"])
                continue
            found.append(Entry(members["flow"], _finite(members["timerange"]), at))
        except (Invalid, ValueError, KeyError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise MediaError(f"line {number} of the list: {reason}") from error
        at = found[-1].end
    return checked(found)


def _decoded(lines: Iterable[str]) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise MediaError(f"the list must be text in UTF-8: {error.reason} at byte {error.start}") from error


def checked(entries: list[Entry]) -> list[Entry]:
    """The entries in the order of the new flow. Raises MediaError if there are none, or if some overlap."""
    if not entries:
        raise MediaError("the list has no entry: write lines of FLOW TIMERANGE, such as '4f0d... [10:0_20:0)'")
    ordered = sorted(entries, key=lambda entry: entry.at)
    for before, entry in pairwise(ordered):
        if entry.at < before.end:
            raise MediaError(
                f"the entry at {format_timestamp(entry.at)} begins before the one at {format_timestamp(before.at)} ends"
            )
    return ordered


def _members(text: str) -> dict[str, str]:
    if text.startswith("{"):
        document: Any = json.loads(text)
        if not all(isinstance(value, str) for value in document.values()):
            raise ValueError("its values must be texts")
        return dict(document)
    words = text.partition("#")[0].split()
    if words[0] == "gap" and len(words) == 2:
        return {"gap": words[1]}
    if len(words) == 2:
        return {"flow": words[0], "timerange": words[1]}
    if len(words) == 4 and words[2] == "at":
        return {"flow": words[0], "timerange": words[1], "at": words[3]}
    raise ValueError(f"must be FLOW TIMERANGE [at TIMESTAMP], or gap DURATION, not {text!r}")


def _duration(text: str) -> int:
    found = parse_timestamp(text if ":" in text else f"{text}:0", "gap")
    if found < 0:
        raise ValueError("a gap must not be negative")
    return found


def _finite(text: str) -> TimeRange:
    found = parse_timerange(text)
    if found.is_empty or found.start is None or found.end is None:
        raise ValueError(f"timerange must have a start and an end, not be {text!r}")
    return found
