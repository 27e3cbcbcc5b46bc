"""Faults in segments: what is registered, found and deleted, and the URLs that they show."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, READ, SEGMENTS

LISTED = "test_segment_listing.py::"
DELETED = "test_segment_deletion.py::"
MEETS = f"{LISTED}test_a_segment_is_found_whole_by_every_timerange_that_meets_it"
INSIDE = f"{DELETED}test_segments_wholly_inside_the_timerange_go"
URLS = "test_get_urls.py::"

OF_SEGMENTS = (
    fault(
        "an-overlap-let-through",
        "SEG-POST-22",
        "test_segment_overlap.py::test_a_refused_overlap_leaves_no_trace[[15:0_25:0)-single]",
        after=m.status("POST", SEGMENTS, {400: 201}),
    ),
    fault(
        "failures-of-a-bulk-not-told",
        "SEG-POST-56",
        "test_segment_bulk.py::test_what_fails_is_told_and_the_rest_is_kept[1]",
        after=m.status("POST", SEGMENTS, {200: 201}),
    ),
    fault(
        "segments-in-no-order",
        "SEG-GET-01",
        f"{LISTED}test_segments_are_listed_in_order_of_time_whatever_the_order_of_arrival",
        after=m.telling("GET", SEGMENTS, m.backwards),
    ),
    fault(
        "an-object-filter-ignored",
        "SEG-GET-05",
        f"{LISTED}test_an_object_placed_twice_is_found_at_both_places",
        before=m.without(READ, SEGMENTS, "object_id"),
    ),
    fault(
        "segments-clipped",
        "SEG-GET-07",
        f"{MEETS}[[0:0_10:0)-[9:0_10:0)-True]",
        after=m.answering("GET", SEGMENTS, m.clipping),
    ),
    fault(
        "an-empty-listing-not-found",
        "SEG-GET-02 SEG-GET-03",
        f"{LISTED}test_no_segments_is_an_empty_list_and_not_an_error[GET-unknown flow]",
        after=m.answering("GET", SEGMENTS, m.absent_when_empty),
    ),
    fault(
        "an-object-timerange-that-nobody-asked-for",
        "SEG-GET-38",
        f"{LISTED}test_the_object_timerange_is_shown_when_asked_for[None]",
        before=m.with_parameter("GET", SEGMENTS, "include_object_timerange", "true"),
    ),
    fault(
        "a-deletion-that-ignores-its-timerange",
        "SEG-DEL-02 DEL-06",
        f"{INSIDE}[segments0-[10:0_30:0)-left0]",
        before=m.without("DELETE", SEGMENTS, "timerange"),
    ),
    fault(
        "stale-segments-updated",
        "SEG-DEL-17 FLOW-META-04",
        f"{DELETED}test_deleting_moves_segments_updated_and_not_the_version_of_the_metadata",
        after=m.telling("GET", FLOW, m.members({"segments_updated": m.always("2026-01-01T00:00:00Z")})),
    ),
    fault(
        "a-url-label-filter-ignored",
        "SEG-GET-25 SEG-GET-26",
        f"{URLS}test_labels_choose_among_urls[['a']-segment]",
        f"{URLS}test_no_labels_at_all_leave_no_urls[segment]",
        before=m.without("GET", SEGMENTS, "accept_get_urls"),
    ),
    fault(
        "a-presigned-filter-ignored",
        "SEG-GET-32",
        f"{URLS}test_presigned_urls_and_others_can_be_told_apart[segment]",
        before=m.without("GET", SEGMENTS, "presigned"),
    ),
    fault(
        "urls-verbose-always",
        "SEG-GET-22",
        f"{URLS}test_urls_are_terse_unless_asked[None-segment]",
        before=m.with_parameter("GET", SEGMENTS, "verbose_storage", "true"),
    ),
)
