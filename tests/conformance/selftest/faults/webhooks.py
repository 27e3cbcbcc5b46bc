"""Faults in webhooks, in the selection of their events, and in delivery."""

import json
from dataclasses import replace
from typing import Any

from tests.conformance.kit.events import (
    FLOW_CREATED,
    FLOW_DELETED,
    FLOW_UPDATED,
    SEGMENTS_ADDED,
    SEGMENTS_DELETED,
    SOURCE_CREATED,
    SOURCE_DELETED,
    SOURCE_UPDATED,
)
from tests.conformance.selftest import delivery_faults as d
from tests.conformance.selftest import mutations as m
from tests.conformance.selftest.exchange import Request, Response
from tests.conformance.selftest.faults.fault import fault
from tests.conformance.selftest.mutations import READ

HOOKS = "/service/webhooks"
HOOK = "/service/webhooks/{}"
MADE = "test_webhooks.py::"
CHANGED = "test_webhook_changes.py::"
LISTED = "test_webhook_listing.py::"
SENT = "test_webhook_delivery.py::"
STOPPED = "test_webhook_states.py::"
FILTERED = "test_event_filters.py::test_a_filter_passes_exactly_the_matching_events"
CHOSEN = "test_event_transforms.py::"
FLOWS = "test_events_of_flows.py::"
SEGMENTS = "test_events_of_segments.py::"
SOURCES = "test_events_of_sources.py::"


def without(*names: str) -> m.Before:
    """The server ignores these members of a webhook."""
    return m.change_request_body("POST PUT", HOOKS, lambda _, document: m.drop_members(*names)(document))


def with_its_key(request: Request, response: Response) -> Response:
    key = json.loads(request.body).get("api_key_value", "")
    return response.with_json(lambda document: {**document, "api_key_value": key})


def without_unknown_events(_: Request, document: Any) -> Any:
    return {**document, "events": [each for each in document["events"] if each != "flows/renamed"]}


def with_public_host(_: Request, document: Any) -> Any:
    return {**document, "url": document["url"].replace("169.254.169.254", "receiver.example.com")}


def without_empty_lists(_: Request, document: Any) -> Any:
    return {name: value for name, value in document.items() if value != []}


def flow(change: Any) -> Any:
    """Change the flow in an event."""
    return d.change_event(lambda event: {**event, "flow": change(event["flow"])})


def as_created_event(document: Any) -> Any:
    return {**document, "event_type": FLOW_CREATED}


def with_another_time(document: Any) -> Any:
    return {**document, "event_timestamp": "2026-01-01T00:00:00Z"}


def as_source_created_event(document: Any) -> Any:
    made = document["event"]["flow"]
    source = {"id": made["source_id"], "format": made["format"], "label": made["id"]}
    return {**document, "event_type": SOURCE_CREATED, "event": {"source": source}}


def with_eternity(document: Any) -> Any:
    return {**document, "event": {**document["event"], "timerange": "_"}}


def has_genre_tag(document: Any) -> bool:
    return document["event_type"] == FLOW_UPDATED and "genre" in document["event"]["flow"].get("tags", {})


OF_WEBHOOKS = (
    fault(
        "the-key-shown",
        "HOOK-LIST-06",
        f"{MADE}test_the_key_is_never_shown",
        after=m.on_response("POST", HOOKS, with_its_key),
    ),
    fault(
        "unknown-events-accepted",
        "HOOK-POST-03",
        f"{MADE}test_an_invalid_webhook_is_rejected_and_not_stored[events-['flows/created', 'flows/renamed']]",
        before=m.change_request_body("POST", HOOKS, without_unknown_events),
    ),
    fault(
        "a-cloud-metadata-address-accepted",
        "HOOK-POST-08",
        f"{MADE}test_a_forbidden_url_is_rejected[http://169.254.169.254/latest/meta-data/]",
        before=m.change_request_body("POST", HOOKS, with_public_host),
    ),
    fault(
        "an-empty-list-read-as-no-filter",
        "HOOK-POST-10 FLT-06",
        f"{MADE}test_an_option_is_kept_as_sent_or_rejected[source_collected_by_ids-[]]",
        f"{FILTERED}[sources in no collection]",
        before=m.change_request_body("POST", HOOKS, without_empty_lists),
    ),
    fault(
        "a-webhook-replacement-that-returns-200",
        "HOOK-PUT-01",
        f"{CHANGED}test_a_webhook_is_replaced",
        after=m.on_response("PUT", HOOK, lambda _, response: replace(response, status=200)),
    ),
    fault(
        "a-webhook-created-by-put",
        "HOOK-PUT-05",
        f"{CHANGED}test_replacing_an_unknown_webhook_creates_none",
        after=m.replace_status("PUT", HOOK, {404: 200}),
    ),
    fault(
        "a-webhook-that-survives-its-deletion",
        "HOOK-DEL-01",
        f"{CHANGED}test_a_deleted_webhook_is_gone",
        before=m.on_request("DELETE", HOOK, m.read_instead),
        after=m.replace_status("DELETE", HOOK, {200: 204}),
    ),
    fault(
        "webhooks-in-a-constant-order",
        "HOOK-LIST-02",
        f"{LISTED}test_webhooks_are_sorted_by_url[True-None]",
        before=m.ignore_parameters(READ, HOOKS, "reverse_order"),
    ),
    fault(
        "a-tag-filter-of-webhooks-ignored",
        "HOOK-LIST-04",
        f"{LISTED}test_webhooks_are_filtered_by_tags[{{'tag.genre': 'news'}}-{{0, 2}}]",
        before=m.ignore_parameters("GET", HOOKS, "tag.genre"),
    ),
    fault(
        "a-disabled-webhook-that-sends",
        "HOOK-ST-02",
        f"{STOPPED}test_a_disabled_webhook_sends_nothing",
        before=m.change_request_body("PUT", HOOK, lambda _, document: {**document, "status": "created"}),
    ),
    fault("a-flow-filter-ignored", "FLT-02", f"{FILTERED}[flow_ids]", before=without("flow_ids")),
    fault(
        "a-collection-filter-ignored",
        "FLT-05 FLT-07",
        f"{FILTERED}[a flow that is not collected]",
        f"{FILTERED}[source_collected_by_ids]",
        before=without("source_collected_by_ids", "flow_collected_by_ids", "flow_ids"),
    ),
    fault(
        "unselected-urls-sent",
        "TRF-01",
        f"{CHOSEN}test_an_event_contains_exactly_the_urls_that_the_webhook_selects[no labels]",
        before=without("accept_get_urls"),
    ),
    fault(
        "urls-of-events-always-verbose",
        "TRF-05",
        f"{CHOSEN}test_urls_are_terse_by_default",
        before=m.change_request_body("POST", HOOKS, lambda _, document: {**document, "verbose_storage": True}),
    ),
)

OF_EVENTS = (
    fault(
        "events-with-another-content-type",
        "DLV-01",
        f"{SENT}test_an_event_is_posted_as_json_and_starts_the_webhook",
        delivering=d.change_headers({"Content-Type": "text/plain"}),
    ),
    fault(
        "the-key-not-sent",
        "DLV-02",
        f"{SENT}test_the_key_is_sent_as_registered",
        delivering=d.change_headers({"Authorization": None}),
    ),
    fault(
        "a-credential-forwarded",
        "DLV-03",
        f"{SENT}test_without_a_key_no_credential_is_sent",
        delivering=d.change_headers({"Authorization": "Bearer somebody"}),
    ),
    fault(
        "events-sent-twice",
        "DLV-09",
        f"{SENT}test_each_webhook_gets_an_event_once_though_they_share_a_url",
        delivering=d.add_event(d.of_types(FLOW_UPDATED), lambda document: document),
    ),
    fault(
        "failed-deliveries-not-retried",
        "DLV-05",
        f"{SENT}test_a_failed_delivery_is_retried[503]",
        delivering=d.report_success,
    ),
    fault(
        "redirects-followed",
        "DLV-06",
        f"{SENT}test_redirects_are_not_followed",
        delivering=d.follow_redirect,
    ),
    fault(
        "a-changed-flow-sent-as-created",
        "EVT-FC-02",
        f"{FLOWS}test_changing_a_flow_sends_no_created_event",
        delivering=d.add_event(d.of_types(FLOW_UPDATED), as_created_event),
    ),
    fault(
        "tag-changes-not-sent",
        "EVT-FU-02",
        f"{FLOWS}test_changing_a_member_sends_the_current_flow[PUT tags/genre news]",
        delivering=d.lose(has_genre_tag),
    ),
    fault(
        "an-outdated-flow-sent",
        "EVT-FU-01",
        f"{FLOWS}test_replacing_a_flow_sends_the_current_flow",
        delivering=d.change_body(d.of_types(FLOW_UPDATED), flow(lambda event: {**event, "label": "new"})),
    ),
    fault(
        "a-timerange-in-flow-events",
        "EVT-FU-04",
        f"{FLOWS}test_flow_events_have_no_timerange",
        delivering=d.change_body(d.of_types(FLOW_CREATED), flow(lambda event: {**event, "timerange": "()"})),
    ),
    fault(
        "a-deletion-sent-twice",
        "EVT-FD-01",
        f"{FLOWS}test_deleting_a_flow_sends_one_event_with_its_id",
        delivering=d.add_event(d.of_types(FLOW_DELETED), with_another_time),
    ),
    fault(
        "segments-missing-from-events",
        "EVT-SA-01 EVT-SA-03",
        f"{SEGMENTS}test_each_stored_segment_is_sent_once[40]",
        delivering=d.change_body(
            d.of_types(SEGMENTS_ADDED), d.change_event(lambda event: {**event, "segments": event["segments"][:-1]})
        ),
    ),
    fault(
        "deleted-segments-sent-as-added",
        "EVT-SD-02",
        f"{SEGMENTS}test_deleting_by_object_does_not_cover_remaining_segments",
        delivering=d.change_body(
            d.of_types(SEGMENTS_DELETED), lambda document: {**document, "event_type": SEGMENTS_ADDED}
        ),
    ),
    fault(
        "a-segment-deletion-sent-for-eternity",
        "EVT-SD-01 EVT-SD-04",
        f"{SEGMENTS}test_deletion_events_cover_exactly_the_deleted_segments[None]",
        delivering=d.change_body(d.of_types(SEGMENTS_DELETED), with_eternity),
    ),
    fault(
        "a-source-created-event-for-every-flow",
        "EVT-SC-01 EVT-SC-02",
        f"{SOURCES}test_a_source_sends_one_created_event_with_its_first_flow",
        delivering=d.add_event(d.of_types(FLOW_CREATED), as_source_created_event),
    ),
    fault(
        "a-source-deletion-not-sent",
        "EVT-SX-01",
        f"{SOURCES}test_a_source_sends_one_deleted_event_with_its_last_flow",
        delivering=d.lose(d.of_types(SOURCE_DELETED)),
    ),
    fault(
        "a-source-sent-without-its-tags",
        "EVT-SU-01",
        f"{SOURCES}test_changing_a_source_sends_its_current_document[PUT tags/genre news]",
        delivering=d.change_body(
            d.of_types(SOURCE_UPDATED), d.change_event(lambda event: {"source": {**event["source"], "tags": {}}})
        ),
    ),
)
