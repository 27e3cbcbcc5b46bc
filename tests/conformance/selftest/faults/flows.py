"""Faults in flows: filters, members, metadata and collections."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, FLOWS

TAGS = "test_tag_filters.py::"
FILTERS = "test_flow_listing.py::test_a_filter_returns_exactly_the_matching_flows"
META = "test_flow_metadata.py::"
COLLECTIONS = "test_flow_collections.py::"

OF_FLOWS = (
    fault(
        "a-label-filter-ignored",
        "FLOW-LIST-09",
        "test_flow_listing.py::test_a_flow_is_found_by_its_new_label_only",
        before=m.ignore_parameters("GET", FLOWS, "label"),
    ),
    fault(
        "a-format-filter-ignored",
        "FLOW-LIST-03",
        f"{FILTERS}[{{'format': 'urn:x-nmos:format:audio'}}]",
        before=m.ignore_parameters("GET", FLOWS, "format"),
    ),
    fault(
        "a-tag-filter-ignored",
        "TAGQ-01 TAG-02",
        f"{TAGS}test_a_tag_value_matches_alone_and_in_a_list[flows-values1-passing1]",
        before=m.ignore_parameters("GET", FLOWS, "tag.genre"),
    ),
    fault(
        "a-list-of-tag-values-read-as-one",
        "TAGQ-02",
        f"{TAGS}test_a_tag_value_matches_alone_and_in_a_list[flows-values4-passing4]",
        before=m.change_parameter("GET", FLOWS, "tag.genre", m.join_items),
    ),
    fault(
        "encoded-commas-read-as-part-of-one-value",
        "TAGQ-13",
        f"{TAGS}test_encoded_commas_separate_values_as_plain_ones_do[flows-%2C]",
        before=m.change_parameter("GET", FLOWS, "tag.genre", m.join_items),
    ),
    fault(
        "a-tag-exists-filter-ignored",
        "TAGQ-07",
        f"{TAGS}test_tag_exists_matches_any_value[flows-genre-False-passing1]",
        before=m.ignore_parameters("GET", FLOWS, "tag_exists.genre"),
    ),
    fault(
        "a-replacement-that-returns-200",
        "FLOW-PUT-02",
        "test_flow_put.py::test_replacing_a_flow_returns_no_body",
        after=m.replace_status("PUT", FLOW, {204: 200}, {}),
    ),
    fault(
        "another-id-in-the-body-accepted",
        "FLOW-PUT-04",
        "test_flow_put.py::test_another_id_in_the_body_is_rejected",
        before=m.change_request_body("PUT", FLOW, m.id_from_path),
    ),
    fault(
        "an-upper-case-id-accepted",
        "GEN-02",
        "test_identifiers.py::test_a_malformed_id_in_a_flow_is_rejected[source-upper-case]",
        before=m.change_request_body(
            "PUT", FLOW, lambda _, document: m.change_members({"source_id": str.lower})(document)
        ),
    ),
    fault(
        "read-only-ignored",
        "RO-05",
        "test_read_only.py::test_a_read_only_flow_is_not_changed[RO-05-PUT/label-0]",
        after=m.replace_status("PUT", f"{FLOW}/label", {403: 204}),
    ),
    fault(
        "a-constant-metadata-version",
        "FLOW-META-11 FLOW-META-13",
        f"{META}test_every_change_changes_the_metadata_version[PUT-label]",
        after=m.change_response_body("GET", FLOW, m.change_members({"metadata_version": m.constant("1")})),
    ),
    fault(
        "a-creation-time-taken-from-the-client",
        "FLOW-META-01",
        f"{META}test_the_creation_time_is_not_taken_from_the_client",
        after=m.change_response_body("GET", FLOW, m.change_members({"created": m.constant("2001-02-03T04:05:06Z")})),
    ),
    fault(
        "a-date-without-an-offset",
        "GEN-11",
        "test_methods.py::test_a_date_has_an_offset[/flows/{flowId}-created]",
        after=m.change_response_body("GET", FLOW, m.change_members({"created": lambda text: text.removesuffix("Z")})),
    ),
    fault(
        "a-flow-that-survives-its-deletion",
        "FLOW-DEL-01",
        "test_flow_deletion.py::test_a_deleted_flow_is_no_longer_listed",
        before=m.on_request("DELETE", FLOW, m.read_instead),
        after=m.replace_status("DELETE", FLOW, {200: 204}),
    ),
    fault(
        "members-without-their-collector",
        "FLOW-COLL-06",
        f"{COLLECTIONS}test_members_name_their_collector_while_they_are_listed[flow]",
        after=m.change_response_body("GET", FLOW, m.drop_members("collected_by")),
    ),
    fault(
        "a-collection-in-reverse-order",
        "FLOW-COLL-01",
        f"{COLLECTIONS}test_members_keep_their_order[order0-flow]",
        after=m.change_response_body("GET", FLOW, m.change_members({"flow_collection": m.reverse_list})),
    ),
    fault(
        "inherited-metadata-not-shown",
        "FLOW-PROF-01 PROF-FLOW-01",
        "test_flow_profiles.py::test_a_flow_shows_the_metadata_of_its_profile[urn:x-nmos:format:audio]",
        after=m.change_response_body("GET", FLOW, m.drop_members("container")),
    ),
)
