"""Faults in the registration, listing and deletion of segments, and in their URLs."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, READ, SEGMENTS

LISTED = "test_segment_listing.py::"
DELETED = "test_segment_deletion.py::"
MEETS = f"{LISTED}test_a_segment_is_found_whole_by_every_overlapping_timerange"
INSIDE = f"{DELETED}test_segments_wholly_inside_the_timerange_are_deleted"
URLS = "test_get_urls.py::"

OF_SEGMENTS = (
    fault(
        "an-overlap-accepted",
        "SEG-POST-22",
        "test_segment_overlap.py::test_a_rejected_overlap_leaves_no_trace[[15:0_25:0)-single]",
        after=m.replace_status("POST", SEGMENTS, {400: 201}),
    ),
    fault(
        "bulk-failures-not-reported",
        "SEG-POST-56",
        "test_segment_bulk.py::test_failures_are_reported_and_the_rest_is_registered[1]",
        after=m.replace_status("POST", SEGMENTS, {200: 201}),
    ),
    fault(
        "segments-in-reverse-order",
        "SEG-GET-01",
        f"{LISTED}test_segments_are_listed_by_time_whatever_the_order_of_registration",
        after=m.change_response_body("GET", SEGMENTS, m.reverse_list),
    ),
    fault(
        "an-object-filter-ignored",
        "SEG-GET-05",
        f"{LISTED}test_an_object_used_twice_is_found_at_both_timeranges",
        before=m.ignore_parameters(READ, SEGMENTS, "object_id"),
    ),
    fault(
        "segments-clipped",
        "SEG-GET-07",
        f"{MEETS}[[0:0_10:0)-[9:0_10:0)-True]",
        after=m.on_response("GET", SEGMENTS, m.clip_to_query),
    ),
    fault(
        "an-empty-listing-not-found",
        "SEG-GET-02 SEG-GET-03",
        f"{LISTED}test_a_flow_without_segments_has_an_empty_listing[GET-unknown flow]",
        after=m.on_response("GET", SEGMENTS, m.not_found_if_empty),
    ),
    fault(
        "an-unrequested-object-timerange",
        "SEG-GET-38",
        f"{LISTED}test_the_object_timerange_is_shown_on_request[None]",
        before=m.force_parameter("GET", SEGMENTS, "include_object_timerange", "true"),
    ),
    fault(
        "a-deletion-that-ignores-its-timerange",
        "SEG-DEL-02 DEL-06",
        f"{INSIDE}[segments0-[10:0_30:0)-left0]",
        before=m.ignore_parameters("DELETE", SEGMENTS, "timerange"),
    ),
    fault(
        "stale-segments-updated",
        "SEG-DEL-17 FLOW-META-04",
        f"{DELETED}test_deleting_updates_segments_updated_and_keeps_the_metadata_version",
        after=m.change_response_body(
            "GET", FLOW, m.change_members({"segments_updated": m.constant("2026-01-01T00:00:00Z")})
        ),
    ),
    fault(
        "a-url-label-filter-ignored",
        "SEG-GET-25 SEG-GET-26",
        f"{URLS}test_urls_are_filtered_by_label[['a']-segment]",
        f"{URLS}test_an_empty_label_filter_returns_no_urls[segment]",
        before=m.ignore_parameters("GET", SEGMENTS, "accept_get_urls"),
    ),
    fault(
        "a-presigned-filter-ignored",
        "SEG-GET-32",
        f"{URLS}test_urls_are_filtered_by_presigned[segment]",
        before=m.ignore_parameters("GET", SEGMENTS, "presigned"),
    ),
    fault(
        "urls-always-verbose",
        "SEG-GET-22",
        f"{URLS}test_urls_are_terse_by_default[None-segment]",
        before=m.force_parameter("GET", SEGMENTS, "verbose_storage", "true"),
    ),
)
