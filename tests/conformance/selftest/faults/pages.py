"""Faults of listings: their pages, their order, and their heads."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOWS, READ, SEGMENTS

PAGES = "test_paging.py::"
HEADS = "test_heads.py::"
LISTED = "test_segment_listing.py::"

OF_PAGES = (
    fault(
        "no-key-of-the-next-page",
        "PAGE-01 PAGE-12",
        f"{PAGES}test_a_page_that_is_not_the_last_leads_to_the_next[flows-2]",
        after=m.lacking(READ, FLOWS, "X-Paging-NextKey"),
    ),
    fault(
        "no-link-to-the-next-page",
        "PAGE-01",
        f"{PAGES}test_a_page_that_is_not_the_last_leads_to_the_next[flows-2]",
        after=m.lacking(READ, FLOWS, "Link"),
    ),
    fault(
        "a-link-on-the-last-page",
        "PAGE-02",
        f"{PAGES}test_the_last_page_leads_nowhere[flows-5]",
        after=m.answering("GET", FLOWS, m.leading_on),
    ),
    fault(
        "a-limit-that-is-not-the-one-in-use",
        "PAGE-07",
        f"{PAGES}test_a_limit_beyond_the_maximum_is_lowered[flows-1000000]",
        after=m.header(READ, FLOWS, "X-Paging-Limit", "1"),
    ),
    fault(
        "a-wrong-count",
        "PAGE-10",
        f"{PAGES}test_the_headers_of_each_page_of_a_walk[flows]",
        after=m.header(READ, FLOWS, "X-Paging-Count", "2"),
    ),
    fault(
        "a-page-that-covers-no-time",
        "PAGE-13",
        "test_paging_elsewhere.py::test_the_timerange_of_a_page_covers_its_segments[2-None]",
        after=m.header(READ, SEGMENTS, "X-Paging-Timerange", "()"),
    ),
    fault(
        "a-link-that-forgets-a-filter",
        "PAGE-05",
        f"{PAGES}test_the_link_keeps_what_was_asked[flows]",
        after=m.answering(READ, FLOWS, m.forgetting("source_id")),
    ),
    fault(
        "one-order-told-always",
        "PAGE-11",
        f"{PAGES}test_the_order_in_use_is_told_on_every_page[flows-True-true]",
        after=m.header(READ, FLOWS, "X-Paging-Reverse-Order", "false"),
    ),
    fault(
        "an-item-lost-between-pages",
        "PAGE-03 PAGE-14",
        f"{PAGES}test_a_walk_sees_every_item_once_in_the_order_of_the_whole[flows-2-None]",
        after=m.answering("GET", FLOWS, m.skipping),
    ),
    fault(
        "an-unknown-page-taken-for-an-empty-one",
        "PAGE-06",
        f"{PAGES}test_a_page_that_was_never_given_out_is_refused[flows-AAAA]",
        after=m.answering("GET", FLOWS, m.forgotten_page),
    ),
    fault(
        "a-limit-of-words-ignored",
        "PAGE-09",
        f"{PAGES}test_a_limit_that_is_no_integer_is_refused[flows-abc]",
        before=m.misread(READ, FLOWS, "limit", lambda text: text if text.isdigit() else "1"),
    ),
    fault(
        "head-without-the-headers-of-paging",
        "PAGE-15",
        f"{PAGES}test_head_has_the_paging_headers_of_get[flows-2]",
        after=m.lacking("HEAD", FLOWS, "X-Paging-Count"),
    ),
    fault(
        "head-of-another-type",
        "GEN-07",
        f"{HEADS}test_head_answers_as_get_does[GET_sources]",
        after=m.header("HEAD", "/sources", "Content-Type", "text/html"),
    ),
    fault(
        "head-that-accepts-what-get-refuses",
        "GEN-08",
        f"{HEADS}test_head_refuses_the_queries_that_get_refuses[GET_sources-limit]",
        before=m.without("HEAD", "/sources", "limit"),
    ),
    fault(
        "sorting-ignored",
        "SORT-05",
        "test_sorting.py::test_labels_are_sorted_from_a_to_z_and_items_without_one_follow_by_id[flows-None]",
        before=m.without(READ, FLOWS, "sort_by"),
    ),
    fault(
        "reverse-order-ignored",
        "SEG-GET-17",
        f"{LISTED}test_reverse_order_gives_the_newest_first",
        before=m.without(READ, SEGMENTS, "reverse_order"),
    ),
)
