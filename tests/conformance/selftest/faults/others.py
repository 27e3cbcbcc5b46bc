"""Faults in sources, profiles, storage, objects, the service and its credentials."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import OBJECT, READ, SOURCE, STORAGE

OF_THE_REST = (
    fault(
        "a-source-of-one-format",
        "SRC-LIFE-01 SRC-LIFE-02",
        "test_source_lifecycle.py::test_a_source_comes_with_its_first_flow",
        after=m.telling("GET", SOURCE, m.members({"format": m.always("urn:x-nmos:format:video")})),
    ),
    fault(
        "a-label-not-replaced",
        "SRC-DESC-04",
        "test_sources.py::test_a_text_is_replaced[label]",
        after=m.telling("GET", SOURCE, m.members({"label": m.always("first")})),
    ),
    fault(
        "an-empty-text-for-a-missing-tag",
        "SRC-TAG-04",
        "test_tags.py::test_a_tag_that_is_not_there_is_not_found[sources]",
        after=m.status(READ, f"{SOURCE}/tags/{{}}", {404: 200}, ""),
    ),
    fault(
        "a-profile-created-twice",
        "PROF-POST-02 PROF-IMM-01",
        "test_profiles.py::test_a_profile_is_not_created_twice[other-body]",
        after=m.answering("POST", "/service/profiles/{}", m.echoing),
    ),
    fault(
        "objects-one-at-a-time",
        "STO-01",
        "test_storage.py::test_as_many_objects_as_wanted_are_set_aside[7]",
        before=m.sending("POST", STORAGE, lambda _, document: m.members({"limit": m.always(1)})(document)),
    ),
    fault(
        "ids-of-the-client-not-heeded",
        "STO-04",
        "test_storage.py::test_the_client_may_choose_the_ids",
        before=m.sending("POST", STORAGE, lambda _, document: {"limit": len(document["object_ids"])}),
    ),
    fault(
        "uploads-of-another-type",
        "STO-17",
        "test_storage.py::test_objects_have_the_type_of_the_flows_container[urn:x-tam:format:image]",
        after=m.telling("POST", STORAGE, m.members({"media_objects": m.each(m.members({"put_url": m.untyped}))})),
    ),
    fault(
        "bytes-that-come-back-changed",
        "STO-27",
        "test_media.py::test_what_went_up_comes_back_from_every_url[small-segment-presigned]",
        after=m.spoilt_media,
    ),
    fault(
        "only-the-first-flow-of-an-object",
        "OBJ-05 OBJ-07",
        "test_objects.py::test_each_flow_is_named_once_while_it_refers_to_the_object",
        after=m.telling("GET", OBJECT, m.members({"referenced_by_flows": lambda flows: flows[:1]})),
    ),
    fault(
        "a-filter-on-flow-tags-ignored",
        "OBJ-15",
        "test_objects.py::test_tags_choose_among_the_flows_that_are_named[{'flow_tag.number': ['2']}-{2}]",
        before=m.without("GET", OBJECT, "flow_tag.number"),
    ),
    fault(
        "objects-kept-too-shortly",
        "SVC-GET-05 TMO-06",
        "test_service.py::test_unregistered_objects_are_kept_for_five_minutes_at_least",
        after=m.telling("GET", "/service", m.members({"min_object_timeout": m.always("299:999999999")})),
    ),
    fault(
        "another-version-of-the-api",
        "SVC-GET-03 VER-01",
        "test_service.py::test_the_api_version_is_one_that_an_8_2_client_can_use",
        after=m.telling("GET", "/service", m.members({"api_version": m.always("8.1")})),
    ),
    fault(
        "all-methods-said-to-be-allowed",
        "SVC-GEN-06",
        "test_http.py::test_a_405_says_what_is_allowed_instead[PATCH-/service]",
        after=m.header("PATCH", "/service", "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ),
    fault(
        "strangers-let-in",
        "AUTH-01",
        "test_authentication.py::test_nobody_comes_in_without_a_credential[GET_service]",
        after=m.status("GET", "/service", {401: 200}, {}),
    ),
    fault(
        "a-token-in-the-url-not-heeded",
        "AUTH-03",
        "test_authentication.py::test_a_token_in_the_url_lets_in[GET_service]",
        before=m.without("GET", "/service", "access_token"),
    ),
)
