"""Where the timeline of an ingested flow begins: a TAMS timestamp, now, or what the file says.

Timestamps that are times of day count in TAI (storage.tai).
"""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from storage.errors import Invalid
from storage.tai import tai_of_unix
from storage.timerange import NS, parse_timestamp
from tams_server.client_media.errors import InvalidOption, MediaError
from tams_server.client_media.ticks import in_ns

FORMS: Final = "now, creation-time, timecode, a timestamp such as 1800000000:0, or a date and time in UTC"
_TIMECODE: Final = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


def now() -> int:
    """The present time in TAI, in nanoseconds."""
    return tai_of_unix(time.time_ns())


def start_time(text: str, metadata: Mapping[str, str], rate: Fraction | None) -> int:
    """The start in nanoseconds that an option says, in one of FORMS.

    metadata: of the file and its streams. rate: of frames, which a timecode counts. Raises MediaError,
    and InvalidOption for other texts.
    """
    if text == "now":
        return now()
    if text == "creation-time":
        if "creation_time" not in metadata:
            raise MediaError("the file has no creation time: give --start a time")
        return _of_date(metadata["creation_time"])
    if text == "timecode":
        if "timecode" not in metadata or rate is None:
            raise MediaError("the file has no timecode: give --start a time")
        return of_timecode(metadata["timecode"], rate)
    if "T" in text or text.count("-") > 1:
        return _of_date(text)
    try:
        return parse_timestamp(text if ":" in text else f"{text}:0")
    except Invalid as error:
        raise InvalidOption(f"--start must be {FORMS}, not {text!r}") from error


def of_timecode(text: str, rate: Fraction) -> int:
    """The time of day of a timecode, in nanoseconds since midnight; with drop-frame counting if it has a semicolon."""
    found = _TIMECODE.fullmatch(text)
    if not found:
        raise MediaError(f"the timecode of the file must be hours:minutes:seconds:frames, not {text!r}")
    hours, minutes, seconds, frames = (int(found[number]) for number in (1, 2, 3, 5))
    nominal = -(-rate.numerator // rate.denominator)
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if found[4] == ";":
        total = hours * 60 + minutes
        count -= (nominal // 15) * (total - total // 10)
    return in_ns(count, 1 / rate)


def _of_date(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidOption(f"--start must be {FORMS}, not {text!r}") from error
    at = at.replace(tzinfo=at.tzinfo or UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return tai_of_unix((since.days * 86400 + since.seconds) * NS + since.microseconds * 1000)
