"""Timeranges for the tests of them: drawn at random, and looked at instant by instant."""

from hypothesis import strategies as st

from storage.timerange import TimeRange

NEAR = st.integers(-3, 3)
"""Close together, so that bounds coincide often."""
ANY_NS = st.integers(-(10**30), 10**30)


def ranges(instants: st.SearchStrategy[int] = NEAR) -> st.SearchStrategy[TimeRange]:
    return st.builds(TimeRange, st.none() | instants, st.none() | instants, st.booleans())


def instant(ns: int) -> TimeRange:
    return TimeRange(ns, ns + 1, True)
