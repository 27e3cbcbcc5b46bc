"""Faults in what a timerange means."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, READ, SEGMENTS

TIMERANGES = "test_timeranges.py::"
LISTED = "test_segment_listing.py::"
DELETED = "test_segment_deletion.py::"
MEETS = f"{LISTED}test_a_segment_is_found_whole_by_every_timerange_that_meets_it"
INSIDE = f"{DELETED}test_segments_wholly_inside_the_timerange_go"

OF_TIMERANGES = (
    fault(
        "never-taken-for-eternity",
        "TR-05",
        f"{TIMERANGES}test_no_segment_meets_an_empty_timerange[()]",
        before=m.misread(READ, SEGMENTS, "timerange", lambda text: "_" if text == "()" else text),
    ),
    fault(
        "never-deletes-everything",
        "SEG-DEL-06 TR-05",
        f"{INSIDE}[segments7-()-left7]",
        before=m.misread("DELETE", SEGMENTS, "timerange", lambda text: "_" if text == "()" else text),
    ),
    fault(
        "an-included-end-taken-for-excluded",
        "TR-03 SEG-GET-09",
        f"{TIMERANGES}test_segments_that_meet_a_timerange_are_listed[[0:0_1:0]-CD]",
        f"{MEETS}[[10:0_20:0)-[0:0_10:0]-True]",
        before=m.misread(READ, SEGMENTS, "timerange", lambda text: text.replace("]", ")")),
    ),
    fault(
        "an-excluded-start-taken-for-included",
        "SEG-GET-10",
        f"{MEETS}[[5:0]-(5:0_6:0)-False]",
        before=m.misread(READ, SEGMENTS, "timerange", lambda text: text.replace("(", "[")),
    ),
    fault(
        "a-sign-lost-where-there-are-no-seconds",
        "TR-02",
        f"{TIMERANGES}test_segments_that_meet_a_timerange_are_listed[[-0:500000000]-B]",
        before=m.misread(READ, SEGMENTS, "timerange", lambda text: text.replace("-0:", "0:")),
    ),
    fault(
        "timestamps-cut-to-microseconds",
        "TR-14",
        f"{MEETS}[[9007199:254740993_9007199:254740994)-[9007199:254740993]-True]",
        after=m.telling("GET", SEGMENTS, m.each(m.members({"timerange": m.cut}))),
    ),
    fault(
        "a-malformed-timerange-ignored",
        "SEG-GET-15 TR-16",
        f"{LISTED}test_a_malformed_timerange_is_refused[yesterday-GET]",
        after=m.status("GET", SEGMENTS, {400: 200}, []),
    ),
    fault(
        "eternity-without-content",
        "FLOW-GET-05 TR-17",
        "test_flow_reading.py::test_a_flow_without_segments_has_the_empty_timerange",
        after=m.telling("GET", FLOW, m.members({"timerange": lambda text: "_" if text == "()" else text})),
    ),
    fault(
        "a-timerange-that-nobody-asked-for",
        "FLOW-GET-03",
        "test_flow_reading.py::test_the_timerange_is_left_out_unless_asked_for[params0]",
        before=m.with_parameter("GET", FLOW, "include_timerange", "true"),
    ),
)
