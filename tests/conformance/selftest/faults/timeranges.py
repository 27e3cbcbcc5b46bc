"""Faults in the interpretation of timeranges."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, READ, SEGMENTS

TIMERANGES = "test_timeranges.py::"
LISTED = "test_segment_listing.py::"
DELETED = "test_segment_deletion.py::"
MEETS = f"{LISTED}test_a_segment_is_found_whole_by_every_overlapping_timerange"
INSIDE = f"{DELETED}test_segments_wholly_inside_the_timerange_are_deleted"

OF_TIMERANGES = (
    fault(
        "never-read-as-eternity",
        "TR-05",
        f"{TIMERANGES}test_no_segment_overlaps_an_empty_timerange[()]",
        before=m.change_parameter(READ, SEGMENTS, "timerange", lambda text: "_" if text == "()" else text),
    ),
    fault(
        "never-deletes-everything",
        "SEG-DEL-06 TR-05",
        f"{INSIDE}[segments7-()-left7]",
        before=m.change_parameter("DELETE", SEGMENTS, "timerange", lambda text: "_" if text == "()" else text),
    ),
    fault(
        "an-inclusive-end-read-as-exclusive",
        "TR-03 SEG-GET-09",
        f"{TIMERANGES}test_segments_overlapping_a_timerange_are_listed[[0:0_1:0]-CD]",
        f"{MEETS}[[10:0_20:0)-[0:0_10:0]-True]",
        before=m.change_parameter(READ, SEGMENTS, "timerange", lambda text: text.replace("]", ")")),
    ),
    fault(
        "an-exclusive-start-read-as-inclusive",
        "SEG-GET-10",
        f"{MEETS}[[5:0]-(5:0_6:0)-False]",
        before=m.change_parameter(READ, SEGMENTS, "timerange", lambda text: text.replace("(", "[")),
    ),
    fault(
        "the-sign-of-zero-seconds-lost",
        "TR-02",
        f"{TIMERANGES}test_segments_overlapping_a_timerange_are_listed[[-0:500000000]-B]",
        before=m.change_parameter(READ, SEGMENTS, "timerange", lambda text: text.replace("-0:", "0:")),
    ),
    fault(
        "timestamps-truncated-to-microseconds",
        "TR-14",
        f"{MEETS}[[9007199:254740993_9007199:254740994)-[9007199:254740993]-True]",
        after=m.change_response_body(
            "GET", SEGMENTS, m.change_each(m.change_members({"timerange": m.truncate_to_microseconds}))
        ),
    ),
    fault(
        "a-malformed-timerange-ignored",
        "SEG-GET-15 TR-16",
        f"{LISTED}test_a_malformed_timerange_is_rejected[yesterday-GET]",
        after=m.replace_status("GET", SEGMENTS, {400: 200}, []),
    ),
    fault(
        "eternity-as-the-timerange-of-an-empty-flow",
        "FLOW-GET-05 TR-17",
        "test_flow_reading.py::test_a_flow_without_segments_has_the_empty_timerange",
        after=m.change_response_body(
            "GET", FLOW, m.change_members({"timerange": lambda text: "_" if text == "()" else text})
        ),
    ),
    fault(
        "an-unrequested-timerange",
        "FLOW-GET-03",
        "test_flow_reading.py::test_the_timerange_is_omitted_by_default[params0]",
        before=m.force_parameter("GET", FLOW, "include_timerange", "true"),
    ),
)
