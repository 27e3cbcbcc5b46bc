"""Faults of listings: paging, order, and HEAD."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOWS, READ, SEGMENTS

PAGES = "test_paging.py::"
HEADS = "test_heads.py::"
LISTED = "test_segment_listing.py::"

OF_PAGES = (
    fault(
        "no-next-page-key",
        "PAGE-01 PAGE-12",
        f"{PAGES}test_a_page_links_to_the_next[flows-2]",
        after=m.drop_headers(READ, FLOWS, "X-Paging-NextKey"),
    ),
    fault(
        "no-next-link",
        "PAGE-01",
        f"{PAGES}test_a_page_links_to_the_next[flows-2]",
        after=m.drop_headers(READ, FLOWS, "Link"),
    ),
    fault(
        "a-next-link-on-the-last-page",
        "PAGE-02",
        f"{PAGES}test_the_last_page_has_no_next_link[flows-5]",
        after=m.on_response("GET", FLOWS, m.link_after_last_page),
    ),
    fault(
        "a-wrong-limit",
        "PAGE-07",
        f"{PAGES}test_a_limit_beyond_the_maximum_is_lowered[flows-1000000]",
        after=m.replace_header(READ, FLOWS, "X-Paging-Limit", "1"),
    ),
    fault(
        "a-wrong-count",
        "PAGE-10",
        f"{PAGES}test_every_page_has_the_paging_headers[flows]",
        after=m.replace_header(READ, FLOWS, "X-Paging-Count", "2"),
    ),
    fault(
        "a-page-with-an-empty-timerange",
        "PAGE-13",
        "test_paging_edge_cases.py::test_the_timerange_of_a_page_covers_its_segments[2-None]",
        after=m.replace_header(READ, SEGMENTS, "X-Paging-Timerange", "()"),
    ),
    fault(
        "a-next-link-without-a-filter",
        "PAGE-05",
        f"{PAGES}test_the_next_link_keeps_all_parameters[flows]",
        after=m.on_response(READ, FLOWS, m.drop_link_parameters("source_id")),
    ),
    fault(
        "a-constant-order-header",
        "PAGE-11",
        f"{PAGES}test_every_page_states_its_order[flows-True-true]",
        after=m.replace_header(READ, FLOWS, "X-Paging-Reverse-Order", "false"),
    ),
    fault(
        "an-item-lost-between-pages",
        "PAGE-03 PAGE-14",
        f"{PAGES}test_pages_list_every_item_once_in_order[flows-2-None]",
        after=m.on_response("GET", FLOWS, m.skip_first_item),
    ),
    fault(
        "an-unknown-page-read-as-empty",
        "PAGE-06",
        f"{PAGES}test_an_unknown_page_key_is_rejected[flows-AAAA]",
        after=m.on_response("GET", FLOWS, m.empty_page_if_unknown),
    ),
    fault(
        "a-non-numeric-limit-ignored",
        "PAGE-09",
        f"{PAGES}test_a_limit_that_is_not_an_integer_is_rejected[flows-abc]",
        before=m.change_parameter(READ, FLOWS, "limit", lambda text: text if text.isdigit() else "1"),
    ),
    fault(
        "head-without-paging-headers",
        "PAGE-15",
        f"{PAGES}test_head_has_the_paging_headers_of_get[flows-2]",
        after=m.drop_headers("HEAD", FLOWS, "X-Paging-Count"),
    ),
    fault(
        "head-with-another-content-type",
        "GEN-07",
        f"{HEADS}test_head_matches_get[GET_sources]",
        after=m.replace_header("HEAD", "/sources", "Content-Type", "text/html"),
    ),
    fault(
        "head-accepts-what-get-rejects",
        "GEN-08",
        f"{HEADS}test_head_rejects_the_queries_that_get_rejects[GET_sources-limit]",
        before=m.ignore_parameters("HEAD", "/sources", "limit"),
    ),
    fault(
        "sorting-ignored",
        "SORT-05",
        "test_sorting.py::test_labels_are_sorted_from_a_to_z_and_items_without_one_follow_by_id[flows-None]",
        before=m.ignore_parameters(READ, FLOWS, "sort_by"),
    ),
    fault(
        "reverse-order-ignored",
        "SEG-GET-17",
        f"{LISTED}test_reverse_order_gives_the_newest_first",
        before=m.ignore_parameters(READ, SEGMENTS, "reverse_order"),
    ),
)
