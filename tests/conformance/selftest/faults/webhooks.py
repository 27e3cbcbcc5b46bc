"""Faults in webhooks, in which events they get, and in how these are sent."""

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
FILTERED = "test_event_filters.py::test_a_filter_lets_its_events_through_and_no_others"
CHOSEN = "test_event_transforms.py::"
FLOWS = "test_events_of_flows.py::"
SEGMENTS = "test_events_of_segments.py::"
SOURCES = "test_events_of_sources.py::"


def without(*names: str) -> m.Before:
    """Members of a webhook that the server does not heed."""
    return m.sending("POST PUT", HOOKS, lambda _, document: m.lacking_members(*names)(document))


def with_its_key(request: Request, response: Response) -> Response:
    key = json.loads(request.body).get("api_key_value", "")
    return response.telling(lambda document: {**document, "api_key_value": key})


def known_events(_: Request, document: Any) -> Any:
    return {**document, "events": [each for each in document["events"] if each != "flows/renamed"]}


def elsewhere(_: Request, document: Any) -> Any:
    return {**document, "url": document["url"].replace("169.254.169.254", "receiver.example.com")}


def no_empty_lists(_: Request, document: Any) -> Any:
    return {name: value for name, value in document.items() if value != []}


def flow(change: Any) -> Any:
    """Another flow in the event."""
    return d.event(lambda event: {**event, "flow": change(event["flow"])})


def as_new(document: Any) -> Any:
    return {**document, "event_type": FLOW_CREATED}


def a_moment_later(document: Any) -> Any:
    return {**document, "event_timestamp": "2026-01-01T00:00:00Z"}


def as_a_new_source(document: Any) -> Any:
    made = document["event"]["flow"]
    source = {"id": made["source_id"], "format": made["format"], "label": made["id"]}
    return {**document, "event_type": SOURCE_CREATED, "event": {"source": source}}


def for_all_time(document: Any) -> Any:
    return {**document, "event": {**document["event"], "timerange": "_"}}


def tagged(document: Any) -> bool:
    return document["event_type"] == FLOW_UPDATED and "genre" in document["event"]["flow"].get("tags", {})


OF_WEBHOOKS = (
    fault(
        "a-key-shown",
        "HOOK-LIST-06",
        f"{MADE}test_the_key_is_never_shown",
        after=m.answering("POST", HOOKS, with_its_key),
    ),
    fault(
        "unknown-events-accepted",
        "HOOK-POST-03",
        f"{MADE}test_a_broken_webhook_is_refused_and_not_stored[events-['flows/created', 'flows/renamed']]",
        before=m.sending("POST", HOOKS, known_events),
    ),
    fault(
        "a-metadata-address-accepted",
        "HOOK-POST-08",
        f"{MADE}test_a_url_that_the_server_must_not_call_is_refused[http://169.254.169.254/latest/meta-data/]",
        before=m.sending("POST", HOOKS, elsewhere),
    ),
    fault(
        "an-empty-list-taken-for-no-filter",
        "HOOK-POST-10 FLT-06",
        f"{MADE}test_an_option_is_kept_as_it_was_sent_or_refused[source_collected_by_ids-[]]",
        f"{FILTERED}[sources in no collection]",
        before=m.sending("POST", HOOKS, no_empty_lists),
    ),
    fault(
        "a-changed-webhook-answered-with-200",
        "HOOK-PUT-01",
        f"{CHANGED}test_a_webhook_is_replaced",
        after=m.answering("PUT", HOOK, lambda _, response: replace(response, status=200)),
    ),
    fault(
        "a-webhook-made-by-put",
        "HOOK-PUT-05",
        f"{CHANGED}test_replacing_a_webhook_that_is_not_there_makes_none",
        after=m.status("PUT", HOOK, {404: 200}),
    ),
    fault(
        "a-deleted-webhook-that-stays",
        "HOOK-DEL-01",
        f"{CHANGED}test_a_deleted_webhook_is_gone",
        before=m.asking("DELETE", HOOK, m.only_reading),
        after=m.status("DELETE", HOOK, {200: 204}),
    ),
    fault(
        "webhooks-always-in-one-order",
        "HOOK-LIST-02",
        f"{LISTED}test_webhooks_are_sorted_by_url[True-None]",
        before=m.without(READ, HOOKS, "reverse_order"),
    ),
    fault(
        "a-tag-of-webhooks-ignored",
        "HOOK-LIST-04",
        f"{LISTED}test_tags_choose_among_webhooks[{{'tag.genre': 'news'}}-{{0, 2}}]",
        before=m.without("GET", HOOKS, "tag.genre"),
    ),
    fault(
        "a-disabled-webhook-that-sends",
        "HOOK-ST-02",
        f"{STOPPED}test_a_disabled_webhook_sends_nothing",
        before=m.sending("PUT", HOOK, lambda _, document: {**document, "status": "created"}),
    ),
    fault("a-filter-of-flows-ignored", "FLT-02", f"{FILTERED}[flow_ids]", before=without("flow_ids")),
    fault(
        "a-filter-of-collections-ignored",
        "FLT-05 FLT-07",
        f"{FILTERED}[a flow that is not collected]",
        f"{FILTERED}[source_collected_by_ids]",
        before=without("source_collected_by_ids", "flow_collected_by_ids", "flow_ids"),
    ),
    fault(
        "urls-told-to-those-who-want-none",
        "TRF-01",
        f"{CHOSEN}test_the_urls_that_a_webhook_chose_are_told_and_no_others[no labels]",
        before=without("accept_get_urls"),
    ),
    fault(
        "every-url-verbose",
        "TRF-05",
        f"{CHOSEN}test_urls_are_terse_unless_asked",
        before=m.sending("POST", HOOKS, lambda _, document: {**document, "verbose_storage": True}),
    ),
)

OF_EVENTS = (
    fault(
        "events-of-another-type",
        "DLV-01",
        f"{SENT}test_an_event_is_posted_as_json_and_starts_the_webhook",
        on_the_way=d.with_headers({"Content-Type": "text/plain"}),
    ),
    fault(
        "a-key-not-sent",
        "DLV-02",
        f"{SENT}test_the_key_comes_as_it_was_given",
        on_the_way=d.with_headers({"Authorization": None}),
    ),
    fault(
        "a-credential-passed-on",
        "DLV-03",
        f"{SENT}test_without_a_key_no_credential_is_sent",
        on_the_way=d.with_headers({"Authorization": "Bearer somebody"}),
    ),
    fault(
        "events-sent-twice",
        "DLV-09",
        f"{SENT}test_each_webhook_gets_an_event_once_though_they_share_a_url",
        on_the_way=d.telling_also(d.of(FLOW_UPDATED), lambda document: document),
    ),
    fault(
        "a-failed-delivery-forgotten",
        "DLV-05",
        f"{SENT}test_what_did_not_arrive_is_sent_again[503]",
        on_the_way=d.never_again,
    ),
    fault(
        "redirects-followed",
        "DLV-06",
        f"{SENT}test_redirects_are_not_followed",
        on_the_way=d.led_on,
    ),
    fault(
        "a-changed-flow-told-as-new",
        "EVT-FC-02",
        f"{FLOWS}test_a_changed_flow_is_not_told_as_a_new_one",
        on_the_way=d.telling_also(d.of(FLOW_UPDATED), as_new),
    ),
    fault(
        "changes-of-tags-not-told",
        "EVT-FU-02",
        f"{FLOWS}test_a_changed_member_is_told_with_the_flow_as_it_is_then[PUT tags/genre news]",
        on_the_way=d.losing(tagged),
    ),
    fault(
        "a-flow-told-as-it-was",
        "EVT-FU-01",
        f"{FLOWS}test_a_replaced_flow_is_told_as_it_is_then",
        on_the_way=d.telling(d.of(FLOW_UPDATED), flow(lambda told: {**told, "label": "new"})),
    ),
    fault(
        "a-timerange-told-of-a-flow",
        "EVT-FU-04",
        f"{FLOWS}test_the_timerange_of_a_flow_is_not_told",
        on_the_way=d.telling(d.of(FLOW_CREATED), flow(lambda told: {**told, "timerange": "()"})),
    ),
    fault(
        "a-deletion-told-twice",
        "EVT-FD-01",
        f"{FLOWS}test_a_deleted_flow_is_told_once_by_its_id",
        on_the_way=d.telling_also(d.of(FLOW_DELETED), a_moment_later),
    ),
    fault(
        "segments-lost-on-the-way",
        "EVT-SA-01 EVT-SA-03",
        f"{SEGMENTS}test_each_stored_segment_is_told_once[40]",
        on_the_way=d.telling(d.of(SEGMENTS_ADDED), d.event(lambda told: {**told, "segments": told["segments"][:-1]})),
    ),
    fault(
        "deleted-segments-told-as-added",
        "EVT-SD-02",
        f"{SEGMENTS}test_the_segments_of_one_object_are_told_without_those_that_stay",
        on_the_way=d.telling(d.of(SEGMENTS_DELETED), lambda document: {**document, "event_type": SEGMENTS_ADDED}),
    ),
    fault(
        "a-deletion-told-for-all-time",
        "EVT-SD-01 EVT-SD-04",
        f"{SEGMENTS}test_what_is_gone_is_told_from_end_to_end[None]",
        on_the_way=d.telling(d.of(SEGMENTS_DELETED), for_all_time),
    ),
    fault(
        "a-source-told-with-every-flow",
        "EVT-SC-01 EVT-SC-02",
        f"{SOURCES}test_a_source_is_told_once_when_its_first_flow_is_made",
        on_the_way=d.telling_also(d.of(FLOW_CREATED), as_a_new_source),
    ),
    fault(
        "the-end-of-a-source-not-told",
        "EVT-SX-01",
        f"{SOURCES}test_a_source_is_told_to_be_gone_once_with_its_last_flow",
        on_the_way=d.losing(d.of(SOURCE_DELETED)),
    ),
    fault(
        "a-source-told-without-its-tags",
        "EVT-SU-01",
        f"{SOURCES}test_a_changed_source_is_told_as_it_is_then[PUT tags/genre news]",
        on_the_way=d.telling(d.of(SOURCE_UPDATED), d.event(lambda told: {"source": {**told["source"], "tags": {}}})),
    ),
)
