"""Faults in flows: filters, members, metadata and collections."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import FLOW, FLOWS

TAGS = "test_tag_filters.py::"
FILTERS = "test_flow_listing.py::test_a_filter_finds_its_flows_and_no_others"
META = "test_flow_metadata.py::"
COLLECTIONS = "test_flow_collections.py::"

OF_FLOWS = (
    fault(
        "a-label-filter-ignored",
        "FLOW-LIST-09",
        "test_flow_listing.py::test_a_flow_is_found_by_its_new_label_only",
        before=m.without("GET", FLOWS, "label"),
    ),
    fault(
        "a-format-filter-ignored",
        "FLOW-LIST-03",
        f"{FILTERS}[{{'format': 'urn:x-nmos:format:audio'}}]",
        before=m.without("GET", FLOWS, "format"),
    ),
    fault(
        "a-tag-filter-ignored",
        "TAGQ-01 TAG-02",
        f"{TAGS}test_a_value_is_found_alone_and_in_a_list[flows-wanted1-passing1]",
        before=m.without("GET", FLOWS, "tag.genre"),
    ),
    fault(
        "a-list-of-tags-taken-for-one",
        "TAGQ-02",
        f"{TAGS}test_a_value_is_found_alone_and_in_a_list[flows-wanted4-passing4]",
        before=m.misread("GET", FLOWS, "tag.genre", m.with_encoded_commas),
    ),
    fault(
        "a-missing-tag-not-looked-for",
        "TAGQ-07",
        f"{TAGS}test_whether_a_tag_is_there_counts_whatever_its_value[flows-genre-False-passing1]",
        before=m.without("GET", FLOWS, "tag_exists.genre"),
    ),
    fault(
        "a-replacement-that-answers-200",
        "FLOW-PUT-02",
        "test_flow_put.py::test_replacing_a_flow_answers_without_a_body",
        after=m.status("PUT", FLOW, {204: 200}, {}),
    ),
    fault(
        "another-id-in-the-body-accepted",
        "FLOW-PUT-04",
        "test_flow_put.py::test_another_id_in_the_body_is_refused",
        before=m.sending("PUT", FLOW, m.own_id),
    ),
    fault(
        "an-id-in-capitals-accepted",
        "GEN-02",
        "test_identifiers.py::test_a_malformed_id_in_a_flow_is_refused[source-upper-case]",
        before=m.sending("PUT", FLOW, lambda _, document: m.members({"source_id": str.lower})(document)),
    ),
    fault(
        "read-only-not-heeded",
        "RO-05",
        "test_read_only.py::test_a_read_only_flow_is_not_changed[RO-05-PUT/label-0]",
        after=m.status("PUT", f"{FLOW}/label", {403: 204}),
    ),
    fault(
        "a-version-of-the-metadata-that-stands-still",
        "FLOW-META-11 FLOW-META-13",
        f"{META}test_every_change_moves_the_version_of_the_metadata[PUT-label]",
        after=m.telling("GET", FLOW, m.members({"metadata_version": m.always("1")})),
    ),
    fault(
        "a-time-of-creation-taken-from-the-client",
        "FLOW-META-01",
        f"{META}test_the_time_of_creation_is_not_taken_from_the_client",
        after=m.telling("GET", FLOW, m.members({"created": m.always("2001-02-03T04:05:06Z")})),
    ),
    fault(
        "a-date-without-an-offset",
        "GEN-11",
        "test_methods.py::test_a_date_has_an_offset[/flows/{flowId}-created]",
        after=m.telling("GET", FLOW, m.members({"created": lambda text: text.removesuffix("Z")})),
    ),
    fault(
        "a-flow-that-outlives-its-deletion",
        "FLOW-DEL-01",
        "test_flow_deletion.py::test_a_deleted_flow_is_no_longer_listed",
        before=m.asking("DELETE", FLOW, m.only_reading),
        after=m.status("DELETE", FLOW, {200: 204}),
    ),
    fault(
        "members-that-do-not-know-their-collector",
        "FLOW-COLL-06",
        f"{COLLECTIONS}test_members_know_their_collector_while_they_are_listed[flow]",
        after=m.telling("GET", FLOW, m.lacking_members("collected_by")),
    ),
    fault(
        "a-collection-in-another-order",
        "FLOW-COLL-01",
        f"{COLLECTIONS}test_members_keep_their_order[order0-flow]",
        after=m.telling("GET", FLOW, m.members({"flow_collection": m.backwards})),
    ),
    fault(
        "inherited-metadata-not-shown",
        "FLOW-PROF-01 PROF-FLOW-01",
        "test_flow_profiles.py::test_a_flow_shows_the_metadata_of_its_profile[urn:x-nmos:format:audio]",
        after=m.telling("GET", FLOW, m.lacking_members("container")),
    ),
)
