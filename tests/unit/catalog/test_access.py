"""The rules on classes, as settings change them: creators, deny classes, untagged resources, spreading, owners."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.catalog.access_rules import AccessRules, DefaultClass
from storage.catalog.caller import Caller
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.paging import PageRequest
from storage.catalog.retention_tags import TAGS
from storage.errors import Forbidden, Invalid, NotFound
from tests.conformance.kit.documents import MULTI, flow
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World, open_world

TAG = "auth_classes"
ALL = frozenset({"read", "write", "delete"})
Open = Callable[..., World]


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Open]:
    """Opens the catalogue of the test with these rules; each time that it is called, as after a restart."""
    with open_world(tmp_path) as world:

        def reopen(**rules: object) -> World:
            access = AccessRules(**rules)  # type: ignore[arg-type]
            world.catalog = Catalog(world.engine, world.stores, None, world.clock, world.other_servers, access=access)
            world.catalog.prepare_access()
            return world

        yield reopen


def caller(world: World, *groups: str, name: str = "somebody") -> Caller:
    return world.catalog.apply_rules(Caller(name, ALL, frozenset(groups)))


def listed(world: World, who: Caller) -> set[str]:
    page = world.catalog.flows.page(who, FlowFilter(), "created", PageRequest())
    return {item["id"] for item in page.items}


def test_names_grant_by_their_suffix() -> None:
    rules = AccessRules(suffixes={"read": ("_ro", "_rw"), "write": ("_rw",), "delete": ()}, deny_prefix="no-")
    assert rules.granted("news_rw") == {"read", "write"}
    assert rules.granted("news_ro") == rules.granted("no-news_ro") == {"read"}
    assert rules.granted("news") == set()


def test_deny_classes_win(ruled: Open) -> None:
    world = ruled(deny_prefix="deny_")
    shared = world.make_flow(flow(tags={TAG: ["staff_read", "deny_interns_read"]}))
    assert listed(world, caller(world, "staff_read")) == {shared}
    assert listed(world, caller(world, "staff_read", "interns_read")) == set()
    with pytest.raises(NotFound):
        world.catalog.flows.get(caller(world, "staff_read", "interns_read"), shared)
    assert listed(ruled(), caller(world, "staff_read", "interns_read")) == {shared}


def test_resources_without_the_tag_are_open_by_setting(ruled: Open) -> None:
    world = ruled()
    untagged, closed = world.make_flow(), world.make_flow(flow(tags={TAG: []}))
    assert listed(world, caller(world, "a_read")) == set()
    world = ruled(untagged_is_open=True)
    later = world.make_flow()
    assert listed(world, caller(world)) == {untagged, later}
    world.catalog.flows.set_tag(caller(world), later, TAG, ["a_read"])
    assert listed(world, caller(world)) == {untagged}
    world.catalog.flows.delete_tag(CALLER, later, TAG)
    assert listed(world, caller(world)) == {untagged, later}
    assert closed not in listed(world, caller(world, "a_read"))
    world = ruled()
    assert listed(world, caller(world, "a_read")) == set()
    assert world.rows("classes") == []


def test_creators_may_be_named_and_may_extend_sources(ruled: Open) -> None:
    world = ruled(creators=frozenset({"recorders"}))
    document = flow(tags={TAG: ["a_read", "a_write"]})
    with pytest.raises(Forbidden):
        world.catalog.flows.put(caller(world, "a_read", "a_write"), document["id"], document)
    recorder = caller(world, "recorders", "a_read", "a_write")
    world.catalog.flows.put(recorder, document["id"], document)
    second = flow(source_id=document["source_id"], tags={TAG: []})
    with pytest.raises(NotFound):
        world.catalog.flows.put(caller(world, "recorders"), second["id"], second)
    world = ruled(creators=frozenset({"recorders"}), creators_extend_sources=True)
    world.catalog.flows.put(caller(world, "recorders"), second["id"], second)


def test_default_classes_depend_on_the_caller(ruled: Open) -> None:
    world = ruled(default_classes=(DefaultClass("everyone_read"), DefaultClass(None, group="desk_write")))
    for groups, expected in (
        (("x_write",), ["everyone_read"]),
        (("desk_write", "desk_read", "choir"), ["desk_read", "desk_write", "everyone_read"]),
    ):
        document = flow(tags={"genre": "news"})
        world.catalog.flows.put(caller(world, *groups), document["id"], document)
        assert world.catalog.flows.member(CALLER, document["id"], "tags") == {"genre": "news", TAG: expected}
        assert world.catalog.sources.tag(CALLER, document["source_id"], TAG) == expected


def test_changes_spread_down_and_stop_where_the_caller_may_not_go_on(ruled: Open) -> None:
    world = ruled(spreads=True)
    ours = ["a_read", "a_write"]
    video, audio, locked = (flow(tags={TAG: tags}) for tags in (ours, ["b_read"], ours))
    for document in (video, audio, {**locked, "read_only": True}):
        world.make_flow(document)
    items = [{"id": each["id"], "role": "part"} for each in (video, audio, locked)]
    collector = world.make_flow(flow(MULTI, tags={TAG: ours}, flow_collection=items))
    hook = world.add_webhook("flows/updated", "sources/updated", caller=world.catalog.apply_rules(CALLER))
    source = world.catalog.flows.get(CALLER, collector)["source_id"]
    world.catalog.sources.set_tag(caller(world, *ours), source, TAG, [*ours, "c_read"])
    for id_, expected in ((collector, True), (video["id"], True), (audio["id"], False), (locked["id"], False)):
        assert ("c_read" in world.catalog.flows.tag(CALLER, id_, TAG)) == expected
    assert "c_read" in world.catalog.sources.tag(CALLER, video["source_id"], TAG)
    events = world.deliver_events(hook)
    changed = {event["event"].get("flow", event["event"].get("source"))["id"] for event in events}
    assert changed == {source, collector, video["source_id"], video["id"], locked["source_id"]}


def test_changes_stay_where_they_are_by_default(ruled: Open) -> None:
    world = ruled()
    document = flow(tags={TAG: ["a_read", "a_write"]})
    world.make_flow(document)
    who = caller(world, "a_read", "a_write")
    world.catalog.sources.set_tag(who, document["source_id"], TAG, ["a_read", "a_write", "c_read"])
    assert world.catalog.flows.tag(CALLER, document["id"], TAG) == ["a_read", "a_write"]


def test_events_follow_the_groups_that_an_owner_has_when_they_are_sent(ruled: Open) -> None:
    """An owner without a credential of this catalogue is known by its last token."""
    world = ruled()
    owner = caller(world, "a_read", name="https://issuer.example|subject")
    body = {"url": "https://receiver.example/", "events": ["flows/created"], "tags": {TAG: ["a_read"]}}
    hook = world.catalog.webhooks.create(owner, body, BASE)["id"]
    world.make_flow(flow(tags={TAG: ["a_read"]}))
    assert len(world.deliver_events(hook)) == 1
    world.make_flow(flow(tags={TAG: ["a_read"]}))
    assert world.catalog.owners.is_new(Caller(owner.name, ALL))
    world.catalog.owners.observe(Caller(owner.name, ALL))
    assert not world.catalog.owners.is_new(Caller(owner.name, ALL))
    assert world.deliver_events(hook) == []
    world.catalog.webhooks.delete(CALLER, hook)
    assert world.rows("principals") == []


def test_events_follow_the_credentials_of_a_local_owner(ruled: Open) -> None:
    world = ruled()
    credentials = world.catalog.credentials
    token = credentials.add_token("desk", ["read", "write"], groups=["a_read"])
    owner = caller(world, "a_read", name="desk")
    body = {"url": "https://receiver.example/", "events": ["flows/created"], "tags": {TAG: ["a_read"]}}
    hook = world.catalog.webhooks.create(owner, body, BASE)["id"]
    assert world.rows("principals") == []
    world.make_flow(flow(tags={TAG: ["a_read"]}))
    credentials.add_token("desk", ["read", "write"], token=token)
    assert world.deliver_events(hook) == []
    credentials.add_token("desk", ["read", "write"], token=token, groups=["a_read"])
    world.make_flow(flow(tags={TAG: ["a_read"]}))
    assert len(world.deliver_events(hook)) == 1


@pytest.mark.parametrize("kind", ["flow", "source"])
def test_events_of_a_hidden_resource_do_not_go_to_who_creates_its_id_again(ruled: Open, kind: str) -> None:
    world = ruled()
    owner = caller(world, "b_read", "b_write", name="https://issuer.example|other")
    body = {"url": "https://receiver.example/", "events": [f"{kind}s/created"], "tags": {TAG: ["b_read"]}}
    hook = world.catalog.webhooks.create(owner, body, BASE)["id"]
    hidden = flow(tags={TAG: ["a_read"]}, label="secret")
    world.make_flow(hidden)
    world.catalog.deletions.delete_flow(CALLER, hidden["id"])
    world.clock.forward(1)
    world.catalog.flows.put(owner, hidden["id"], flow(**(hidden | {"tags": {TAG: ["b_read"]}, "label": "own"})))
    assert [event["event"][kind]["label"] for event in world.deliver_events(hook)] == ["own"]


def test_urls_in_events_are_those_of_objects_that_the_owner_may_read_when_they_are_sent(ruled: Open) -> None:
    world = ruled()
    give_backend(world, DEFAULT_BACKEND, "b_read")
    owner = caller(world, "b_read", name="https://issuer.example|other")
    body = {"url": "https://receiver.example/", "events": ["flows/segments_added"], "tags": {TAG: ["b_read"]}}
    hook = world.catalog.webhooks.create(owner, body, BASE)["id"]
    shared = world.make_flow(flow(tags={TAG: ["b_read"]}))
    hidden = world.make_flow(flow(tags={TAG: ["a_read"]}))
    for n, object_id in enumerate(("kept", "taken")):
        world.add_object(shared, object_id, at(n))
    world.register(hidden, {"object_id": "taken", "timerange": at(0)})
    world.delete_segments(shared, at(1))
    sent = [segment for event in world.deliver_events(hook) for segment in event["event"]["segments"]]
    assert {segment["object_id"]: bool(segment["get_urls"]) for segment in sent} == {"kept": True, "taken": False}


def test_a_loss_of_classes_does_not_close_what_has_no_tag(ruled: Open) -> None:
    world = ruled(spreads=True, untagged_is_open=True)
    document = flow()
    world.make_flow(document)
    source = document["source_id"]
    world.catalog.sources.set_tag(CALLER, source, TAG, ["a_read", "a_write"])
    world.catalog.flows.delete_tag(CALLER, document["id"], TAG)
    assert document["id"] in listed(world, caller(world, "x_read"))
    world.catalog.sources.set_tag(world.catalog.apply_rules(CALLER), source, TAG, ["a_write"])
    assert TAG not in world.catalog.flows.member(CALLER, document["id"], "tags")
    assert document["id"] in listed(world, caller(world, "x_read"))


def test_a_tag_that_is_deleted_goes_where_nothing_is_left_of_it(ruled: Open) -> None:
    world = ruled(spreads=True, untagged_is_open=True)
    alike = flow(tags={TAG: ["a_read"]})
    own = flow(source_id=alike["source_id"], tags={TAG: ["a_read", "b_read"]})
    for document in (alike, own):
        world.make_flow(document)
    admin = world.catalog.apply_rules(CALLER)
    world.catalog.sources.delete_tag(admin, alike["source_id"], TAG)
    assert TAG not in world.catalog.flows.member(CALLER, alike["id"], "tags")
    assert world.catalog.flows.tag(CALLER, own["id"], TAG) == ["b_read"]


def test_an_owner_is_looked_at_again_after_a_while(ruled: Open) -> None:
    """Another process may have seen a token with more groups after this one saw the token with fewer."""
    world = ruled()
    reduced = Caller("https://issuer.example|subject", ALL, frozenset({"a_read"}))
    world.catalog.owners.observe(reduced)
    world.clock.forward(9)
    assert not world.catalog.owners.is_new(reduced)
    world.clock.forward(1)
    assert world.catalog.owners.is_new(reduced)
    world.catalog.owners.observe(reduced)
    world.clock.forward(-60)
    assert world.catalog.owners.is_new(reduced), "the clock was set back"


def test_a_copy_reads_no_storage_backend_that_the_caller_may_not_read(ruled: Open) -> None:
    world = ruled()
    writer = caller(world, "a_read", "a_write", "b_read")
    give_backend(world, SECOND_BACKEND, "a_write")
    world.add_object(world.make_flow(flow(tags={TAG: ["a_read", "a_write"]})), "x")
    give_backend(world, DEFAULT_BACKEND, "a_write")
    with pytest.raises(Invalid, match="could not be copied from any of its instances"):
        world.catalog.copies.copy(writer, "x", SECOND_BACKEND)
    world.run_background_work()
    assert world.backends_of("x") == {DEFAULT_BACKEND}
    give_backend(world, DEFAULT_BACKEND, "b_read")
    world.catalog.copies.copy(writer, "x", SECOND_BACKEND)
    assert world.backends_of("x") == {DEFAULT_BACKEND, SECOND_BACKEND}


def test_objects_of_a_deleted_flow_are_not_those_of_another_with_its_id(ruled: Open) -> None:
    world = ruled()
    give_backend(world, DEFAULT_BACKEND, "a_write", "b_write")
    first = world.make_flow(flow(tags={TAG: ["a_write"]}))
    world.allocate(first, "early")
    world.catalog.deletions.delete_flow(CALLER, first)
    world.clock.forward(1)
    writer = caller(world, "b_write")
    world.catalog.flows.put(writer, first, flow(id=first, tags={TAG: ["b_write"]}))
    assert not world.catalog.media_access.permits(writer, "early", DEFAULT_BACKEND, "write")
    failed = world.catalog.segments.register(writer, first, [{"object_id": "early", "timerange": at(0)}])
    assert "neither allocated nor registered" in failed[0][1].message
    world.clock.forward(-3600)
    world.catalog.allocation.allocate(writer, first, {"object_ids": ["late"]}, BASE)
    assert world.catalog.media_access.permits(writer, "late", DEFAULT_BACKEND, "write")
    assert world.catalog.segments.register(writer, first, [{"object_id": "late", "timerange": at(0)}]) == []


@pytest.mark.parametrize("name", TAGS)
def test_tags_that_delete_take_permission_to_delete(ruled: Open, name: str) -> None:
    world = ruled()
    classes = ["a_read", "a_write", "a_delete"]
    writer, deleter = caller(world, "a_read", "a_write"), caller(world, "a_delete", "a_write")
    document = flow(tags={TAG: classes, name: "900:0"})
    world.catalog.flows.put(caller(world, *classes), document["id"], document)
    world.catalog.flows.put(writer, document["id"], document)
    with pytest.raises(Forbidden, match="takes permission to delete"):
        world.catalog.flows.set_tag(writer, document["id"], name, "1")
    with pytest.raises(Forbidden, match="takes permission to delete"):
        world.catalog.flows.put(writer, document["id"], {**document, "tags": {**document["tags"], name: "0:0"}})
    with pytest.raises(Forbidden, match="takes permission to delete"):
        world.catalog.flows.set_member(writer, document["id"], "tags", {**document["tags"], name: "0:0"})
    world.catalog.flows.set_tag(deleter, document["id"], name, "1")
    world.catalog.flows.delete_tag(writer, document["id"], name)
    with pytest.raises(Forbidden, match="takes permission to delete"):
        world.catalog.flows.set_tag(writer, document["id"], name, "1")


@pytest.mark.parametrize("name", TAGS)
def test_to_release_a_read_only_flow_with_tags_that_delete_takes_permission_to_delete(ruled: Open, name: str) -> None:
    world = ruled()
    classes = ["a_read", "a_write", "a_delete"]
    document = flow(tags={TAG: classes, name: "900:0"}, read_only=True)
    world.catalog.flows.put(caller(world, *classes), document["id"], document)
    with pytest.raises(Forbidden, match="takes permission to delete"):
        world.catalog.flows.set_member(caller(world, "a_read", "a_write"), document["id"], "read_only", False)
    world.catalog.flows.set_member(caller(world, "a_delete", "a_write"), document["id"], "read_only", False)


def test_spreading_takes_locks_in_order(ruled: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    world = ruled(spreads=True)
    first = flow(tags={TAG: ["a_read"]})
    flows = [first, *(flow(source_id=first["source_id"], tags={TAG: ["a_read"]}) for _ in range(5))]
    for document in flows:
        world.make_flow(document)
    with world.engine.write() as tx:
        kind_of_transaction = type(tx)
    locked: list[str] = []
    monkeypatch.setattr(kind_of_transaction, "lock", lambda _, *names: locked.extend(names))
    world.catalog.sources.set_tag(world.catalog.apply_rules(CALLER), first["source_id"], TAG, ["a_read", "b_read"])
    assert locked == [f"source:{first['source_id']}", *sorted(f"flow:{document['id']}" for document in flows)]


def give_backend(world: World, storage_id: str, *classes: str) -> None:
    store = world.stores[storage_id]
    store.backend = replace(store.backend, tags={TAG: list(classes)})
