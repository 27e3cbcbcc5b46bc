"""International Atomic Time (TAI), in which timestamps that are time of day count, and UTC.

TAI runs ahead of UTC by a whole number of seconds, which grows with each leap second. Before 1972 UTC had no whole
leap seconds: such times are taken to be 10 s behind.
"""

from bisect import bisect_right
from datetime import UTC, datetime
from typing import Final

from storage.timerange import NS

_FIRST_S: Final = 10
_LEAP_SECONDS: Final = (
    *((1972, 7), (1973, 1), (1974, 1), (1975, 1), (1976, 1), (1977, 1), (1978, 1), (1979, 1), (1980, 1)),
    *((1981, 7), (1982, 7), (1983, 7), (1985, 7), (1988, 1), (1990, 1), (1991, 1), (1992, 7), (1993, 7)),
    *((1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1), (2009, 1), (2012, 7), (2015, 7), (2017, 1)),
)
"""Year and month (UTC) at whose beginning TAI - UTC has grown by a second (IERS Bulletin C)."""
_UNIX_NS: Final = [int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NS for year, month in _LEAP_SECONDS]
_TAI_NS: Final = [unix_ns + (_FIRST_S + number) * NS for number, unix_ns in enumerate(_UNIX_NS, 1)]


def tai_of_unix(unix_ns: int) -> int:
    """Return the TAI timestamp of a Unix time, both in nanoseconds since 1970."""
    return unix_ns + (_FIRST_S + bisect_right(_UNIX_NS, unix_ns)) * NS


def unix_of_tai(tai_ns: int) -> int:
    """Return the Unix time of a TAI timestamp, both in nanoseconds since 1970.

    Unix time has no leap seconds: the time in one is that of the second after it.
    """
    return tai_ns - (_FIRST_S + bisect_right(_TAI_NS, tai_ns)) * NS
