"""F16: whatever the classes, groups and rules are: everything that a principal gets is what the reference model says.

TAMS_ACCESS_EXAMPLES sets the number of examples for a long run.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.flows.flows import ORDERS
from storage.catalog.job_kinds import DELIVERY
from storage.catalog.jobs import JobSelection
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.objects.objects import ObjectQuery
from storage.catalog.paging import Page, PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.sources import SourceFilter
from storage.catalog.tags import TagFilter
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.timerange import EMPTY
from tests.engines.access_model import Principal, Tag
from tests.engines.access_store import PLANS, TAG, Plan, Store, made, status_of, uuid
from tests.unit.catalogs import BASE

_EXAMPLES = int(os.environ.get("TAMS_ACCESS_EXAMPLES", "0"))
_FEW = {"sqlite": 40, "postgresql": 10, "vast-statement": 4, "vast-commit": 2}
_PAGE = 2


@pytest.fixture
def kind(engine_url: str, request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["engine_url"])


@pytest.mark.timeout(0 if _EXAMPLES else 120)
def test_everything_is_as_the_model_says(engine: Engine, kind: str, tmp_path: Path) -> None:
    @settings(
        max_examples=_EXAMPLES or _FEW[kind],
        deadline=None,
        database=None,
        derandomize=not _EXAMPLES,
        phases=[Phase.generate, Phase.shrink] if _EXAMPLES else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(PLANS)
    def run(plan: Plan) -> None:
        with made(engine, tmp_path, plan) as store:
            _compare_listings(store, plan.principal)
            _compare_resources(store, plan.principal)
            _compare_objects(store, plan.principal)
            _compare_segments(store, plan.principal)
            _compare_events(store, plan.principal)
            _compare_changes(store, plan.principal)

    run()


def _all_pages(select: Any) -> list[str]:
    """The ids on all pages, of which none but the last may have fewer items than it could."""
    ids: list[str] = []
    key = None
    while True:
        page: Page = select(PageRequest(_PAGE, key))
        ids += [item["id"] for item in page.items]
        if page.next_key is None:
            return ids
        assert len(page.items) == _PAGE
        key = page.next_key


def _compare_listings(store: Store, principal: Principal) -> None:
    catalog, caller = store.catalog, store.caller
    readable = principal.readable(store.flows)
    for order in ORDERS:
        found = _all_pages(lambda request, order=order: catalog.flows.page(caller, FlowFilter(), order, request))
        assert sorted(found) == sorted(readable)
        if order == "created":
            assert found == readable[::-1]
    for source_id in [*store.sources, uuid(2, 7)]:
        filters = FlowFilter(columns={"source_id": source_id})
        found = _all_pages(lambda request, filters=filters: catalog.flows.page(caller, filters, "created", request))
        assert found == [id_ for id_ in readable[::-1] if store.source_of[id_] == source_id]
    tagged = FlowFilter(tags=TagFilter({}, {TAG: True}))
    found = _all_pages(lambda request: catalog.flows.page(caller, tagged, "created", request))
    assert found == [id_ for id_ in readable[::-1] if store.flows[id_] is not None]
    sources = _all_pages(lambda request: catalog.sources.page(caller, SourceFilter(), "created", request))
    assert sources == principal.readable(store.sources)[::-1]
    webhooks = _all_pages(lambda request: catalog.webhooks.page(caller, TagFilter(), request))
    assert sorted(webhooks) == sorted(principal.readable(store.webhooks))
    backends = _all_pages(lambda request: catalog.service.backends(caller, TagFilter(), request))
    expected = [
        id_
        for id_, tag in store.backends.items()
        if principal.status("any", [tag]) != 404 or principal.may("read", tag)
    ]
    assert backends == expected


def _compare_resources(store: Store, principal: Principal) -> None:
    catalog, caller = store.catalog, store.caller
    for owner, tags in ((catalog.flows, store.flows), (catalog.sources, store.sources)):
        for id_ in [*tags, uuid(5, 5)]:
            existing = [tags[id_]] if id_ in tags else []
            assert status_of(owner.get, caller, id_) == principal.status("read", existing)
            assert status_of(owner.member, caller, id_, "tags") == principal.status("read", existing)
            assert status_of(owner.set_member, caller, id_, "description", "new") == principal.status("write", existing)
            assert status_of(owner.require, caller, id_, "delete") == principal.status("delete", existing)
    for id_, tag in store.webhooks.items():
        assert status_of(catalog.webhooks.get, caller, id_) == principal.status("read", [tag])
        assert status_of(catalog.webhooks.require, caller, id_, "write") == principal.status("write", [tag])


def _compare_objects(store: Store, principal: Principal) -> None:
    catalog, caller = store.catalog, store.caller
    query = ObjectQuery(PageRequest(_PAGE), get_urls=GetUrlFilter(verbose=True))
    for object_id, flow_ids in store.objects.items():
        tags = {id_: store.flows[id_] for id_ in sorted(flow_ids)}
        readable = principal.readable(tags)
        if not readable:
            assert status_of(catalog.objects.get, caller, object_id, query, BASE) == 404
        else:
            page = catalog.objects.get(caller, object_id, query, BASE)
            shown = page.document["referenced_by_flows"]
            assert shown == readable[:_PAGE]
            assert (page.next_key is not None) == (len(readable) > _PAGE)
            assert page.document.get("first_referenced_by_flow", readable[0]) in readable
            assert _backends(page.document["get_urls"]) == _readable_backends(store, principal, object_id)
        status = principal.status("write", list(tags.values()))
        assert status_of(catalog.objects.require, caller, object_id, "write") == status
        permitted = catalog.media_access.permits(caller, object_id, _home(store, object_id), "read")
        home_is_readable = principal.may("read", store.backends[_home(store, object_id)])
        assert permitted == (not store.caller.is_restricted or bool(readable and home_is_readable))


def _compare_segments(store: Store, principal: Principal) -> None:
    urls = GetUrlFilter(verbose=True)
    for flow_id in [*store.flows, uuid(5, 5)]:
        existing = [store.flows[flow_id]] if flow_id in store.flows else []
        status = principal.status("read", existing)

        def read(flow_id: str = flow_id) -> Any:
            page = store.catalog.segments.page(store.caller, flow_id, SegmentFilter(), PageRequest(), urls, BASE)
            return page.page.items

        assert status_of(read) == (403 if status == 403 else 200)
        if status != 403:
            used = [object_id for object_id, flows in store.objects.items() if flow_id in flows]
            items = read()
            assert sorted(item["object_id"] for item in items) == (sorted(used) if status == 200 else [])
            for item in items:
                expected = _readable_backends(store, principal, item["object_id"])
                assert _backends(item["get_urls"]) == expected
        delete = SegmentFilter(EMPTY)
        status = principal.status("delete", existing)
        assert status_of(store.catalog.deletions.delete_segments, store.caller, flow_id, delete) == status


def _home(store: Store, object_id: str) -> str:
    return list(store.backends)[int(object_id[-1]) % 2]


def _readable_backends(store: Store, principal: Principal, object_id: str) -> set[str]:
    return set(principal.readable({_home(store, object_id): store.backends[_home(store, object_id)]}))


def _backends(get_urls: list[dict[str, Any]]) -> set[str]:
    return {url["storage_id"] for url in get_urls}


def _delivered(store: Store, place: int) -> list[dict[str, Any]]:
    """The events for one of the two last webhooks. place: -2 for that of the admin, -1 for that of the principal."""
    catalog = store.catalog
    while catalog.deliveries.dispatch():
        pass
    webhook_id = list(store.webhooks)[place]
    [claim] = catalog.jobs.claim("a worker", [JobSelection(equals(kind=DELIVERY, key=webhook_id), 1)])
    requests = [
        catalog.deliveries.prepare_request(claim, each) for each in catalog.deliveries.next_batch(webhook_id, 1000)
    ]
    return [request.body for request in requests if request is not None]


def _compare_events(store: Store, principal: Principal) -> None:
    events, own = _delivered(store, -2), _delivered(store, -1)
    tags = {**store.deleted, **store.flows, **store.sources}
    at_the_time: dict[str, Any] = {}
    expected = []
    for event in events:
        body = event["event"]
        shown = body.get("flow") or body.get("source")
        id_ = shown["id"] if shown else body.get("flow_id") or body["source_id"]
        if shown:
            at_the_time[id_] = shown.get("tags", {}).get(TAG)
        if id_ in store.deleted:
            if principal.may("read", at_the_time[id_]):
                expected.append((event["event_type"], id_))
        elif principal.may("read", tags[id_]):
            expected.append((event["event_type"], id_))
    found = []
    for event in own:
        body = event["event"]
        shown = body.get("flow") or body.get("source")
        found.append((event["event_type"], shown["id"] if shown else body.get("flow_id") or body["source_id"]))
        for segment in body.get("segments", ()):
            # An object that no flow uses any more may be another one's by now: only who may read everything gets it.
            users = {id_: store.flows[id_] for id_ in store.objects[segment["object_id"]]}
            is_readable = bool(principal.readable(users)) or not store.caller.is_restricted
            home = _home(store, segment["object_id"])
            assert bool(segment["get_urls"]) == (is_readable and principal.may("read", store.backends[home]))
    assert found == expected


def _compare_changes(store: Store, principal: Principal) -> None:
    """Changes of classes, of which each that is permitted changes what comes next."""
    values: list[Tag] = [
        ["a_read"],
        "a_read,a_write",
        ["a_read", "a_write", "a_delete", "b_delete"],
        ["deny_a_read", "b_write"],
        [],
    ]
    for owner, tags in ((store.catalog.flows, store.flows), (store.catalog.sources, store.sources)):
        for number, id_ in enumerate(list(tags)):
            after = values[number % len(values)]
            status = principal.status("write", [tags[id_]])
            if status == 200 and not principal.may_change(tags[id_], after):
                status = 403
            assert status_of(owner.set_tag, store.caller, id_, TAG, after) == status
            if status == 200:
                tags[id_] = after
    assert sorted(
        _all_pages(lambda request: store.catalog.flows.page(store.caller, FlowFilter(), "created", request))
    ) == sorted(principal.readable(store.flows))
