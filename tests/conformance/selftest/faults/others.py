"""Faults in sources, profiles, storage, objects, the service and credentials."""

from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import OBJECT, READ, SOURCE, STORAGE

OF_OTHERS = (
    fault(
        "a-source-with-a-constant-format",
        "SRC-LIFE-01 SRC-LIFE-02",
        "test_source_lifecycle.py::test_a_source_is_created_with_its_first_flow",
        after=m.change_response_body(
            "GET", SOURCE, m.change_members({"format": m.constant("urn:x-nmos:format:video")})
        ),
    ),
    fault(
        "a-label-not-replaced",
        "SRC-DESC-04",
        "test_sources.py::test_a_text_is_replaced[label]",
        after=m.change_response_body("GET", SOURCE, m.change_members({"label": m.constant("first")})),
    ),
    fault(
        "a-missing-tag-read-as-empty",
        "SRC-TAG-04",
        "test_tags.py::test_an_unknown_tag_is_not_found[sources]",
        after=m.replace_status(READ, f"{SOURCE}/tags/{{}}", {404: 200}, ""),
    ),
    fault(
        "a-profile-created-twice",
        "PROF-POST-02 PROF-IMM-01",
        "test_profiles.py::test_a_profile_is_not_created_twice[other-body]",
        after=m.on_response("POST", "/service/profiles/{}", m.accept_if_rejected),
    ),
    fault(
        "only-one-object-allocated",
        "STO-01",
        "test_storage.py::test_the_requested_number_of_objects_is_allocated[7]",
        before=m.change_request_body(
            "POST", STORAGE, lambda _, document: m.change_members({"limit": m.constant(1)})(document)
        ),
    ),
    fault(
        "object-ids-of-the-client-ignored",
        "STO-04",
        "test_storage.py::test_the_client_can_choose_the_ids",
        before=m.change_request_body("POST", STORAGE, lambda _, document: {"limit": len(document["object_ids"])}),
    ),
    fault(
        "uploads-with-another-content-type",
        "STO-17",
        "test_storage.py::test_objects_have_the_content_type_of_the_container[urn:x-tam:format:image]",
        after=m.change_response_body(
            "POST",
            STORAGE,
            m.change_members({"media_objects": m.change_each(m.change_members({"put_url": m.set_generic_type}))}),
        ),
    ),
    fault(
        "downloads-with-changed-bytes",
        "STO-27",
        "test_media.py::test_uploaded_bytes_can_be_downloaded_from_every_url[small-segment-presigned]",
        after=m.corrupt_media,
    ),
    fault(
        "only-the-first-flow-of-an-object-listed",
        "OBJ-05 OBJ-07",
        "test_objects.py::test_each_flow_is_listed_once_while_it_references_the_object",
        after=m.change_response_body("GET", OBJECT, m.change_members({"referenced_by_flows": lambda flows: flows[:1]})),
    ),
    fault(
        "a-filter-on-flow-tags-ignored",
        "OBJ-15",
        "test_objects.py::test_referencing_flows_are_filtered_by_tags[{'flow_tag.number': ['2']}-{2}]",
        before=m.ignore_parameters("GET", OBJECT, "flow_tag.number"),
    ),
    fault(
        "min-object-timeout-too-short",
        "SVC-GET-05 TMO-06",
        "test_service.py::test_min_object_timeout_is_at_least_five_minutes",
        after=m.change_response_body(
            "GET", "/service", m.change_members({"min_object_timeout": m.constant("299:999999999")})
        ),
    ),
    fault(
        "another-api-version",
        "SVC-GET-03 VER-01",
        "test_service.py::test_the_api_version_is_one_that_an_8_2_client_can_use",
        after=m.change_response_body("GET", "/service", m.change_members({"api_version": m.constant("8.1")})),
    ),
    fault(
        "all-methods-listed-as-allowed",
        "SVC-GEN-06",
        "test_http.py::test_a_405_lists_the_allowed_methods[PATCH-/service]",
        after=m.replace_header("PATCH", "/service", "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ),
    fault(
        "missing-credentials-accepted",
        "AUTH-01",
        "test_authentication.py::test_requests_without_a_credential_are_rejected[GET_service]",
        after=m.replace_status("GET", "/service", {401: 200}, {}),
    ),
    fault(
        "a-token-in-the-url-ignored",
        "AUTH-03",
        "test_authentication.py::test_a_token_in_the_url_is_accepted[GET_service]",
        before=m.ignore_parameters("GET", "/service", "access_token"),
    ),
)
