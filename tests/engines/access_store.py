"""Stores with random classes, for comparison with the reference model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from storage.catalog import Catalog, Limits
from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.errors import Forbidden, NotFound
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables.engine import Engine
from storage.tables.schema import TABLES
from tests.conformance.kit.documents import flow
from tests.engines.access_model import Principal, Tag
from tests.unit.catalogs import BASE, Clock, OtherServers

TAG = "auth_classes"
ADMIN = Caller("admin", frozenset({"admin"}))
EVENTS = (
    *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added", "flows/segments_deleted"),
    *("sources/created", "sources/updated", "sources/deleted"),
)
_NAMES = [f"{group}_{permission}" for group in "ab" for permission in ("read", "write", "delete")]
_CLASSES = st.lists(st.sampled_from([*_NAMES, "deny_a_read", "deny_b_write", "other", "admin"]), max_size=4)
TAGS: st.SearchStrategy[Tag] = st.one_of(st.none(), _CLASSES, _CLASSES.map(" , ".join))
GROUPS = st.frozensets(st.sampled_from([*_NAMES, "a_read", "b_read", "deny_a_read", "other"]), max_size=5)


def uuid(kind: int, number: int) -> str:
    return f"{kind:08d}-0000-4000-8000-{number:012d}"


@dataclass(frozen=True)
class Plan:
    """A random store. flows: of each its tag, its source, and the objects that its segments use.

    sources: a tag for each source that is set after its creation, or "keep". backends, webhooks: their tags.
    later: tags that some flows get after the events; the flows in `deleted` are deleted then.
    """

    flows: Sequence[tuple[Tag, int, Sequence[int]]]
    sources: Sequence[Tag]
    backends: Sequence[Tag]
    webhooks: Sequence[Tag]
    later: dict[int, Tag]
    deleted: frozenset[int]
    principal: Principal


PLANS = st.builds(
    Plan,
    flows=st.lists(st.tuples(TAGS, st.integers(0, 2), st.lists(st.integers(0, 3), max_size=2)), min_size=1, max_size=5),
    sources=st.lists(st.one_of(st.just("keep"), TAGS), min_size=3, max_size=3),
    backends=st.lists(TAGS, min_size=2, max_size=2),
    webhooks=st.lists(TAGS, max_size=2),
    later=st.dictionaries(st.integers(0, 4), TAGS, max_size=2),
    deleted=st.frozensets(st.integers(0, 4), max_size=1),
    principal=st.builds(
        Principal,
        groups=st.one_of(GROUPS, GROUPS.map(lambda groups: groups | {"admin"})),
        admin=st.booleans().flatmap(lambda rare: st.booleans() if rare else st.just(False)),
        untagged_is_open=st.booleans(),
        deny_prefix=st.sampled_from(["", "deny_"]),
    ),
)


@dataclass
class Store:
    """A store that was made as planned, and the tags of what is in it, by id, newest first as listings have them."""

    catalog: Catalog
    clock: Clock
    caller: Caller
    flows: dict[str, Tag] = field(default_factory=dict)
    sources: dict[str, Tag] = field(default_factory=dict)
    source_of: dict[str, str] = field(default_factory=dict)
    backends: dict[str, Tag] = field(default_factory=dict)
    webhooks: dict[str, Tag] = field(default_factory=dict)
    objects: dict[str, list[str]] = field(default_factory=dict)
    """The flows that use each object."""
    deleted: dict[str, Tag] = field(default_factory=dict)


def tags_of(tag: Tag) -> dict[str, Any]:
    return {} if tag is None else {TAG: tag}


def status_of(method: Callable[..., Any], *args: Any) -> int:
    """The status with which a response to a call of the catalogue would begin."""
    try:
        method(*args)
    except NotFound:
        return 404
    except Forbidden:
        return 403
    return 200


def empty(engine: Engine) -> None:
    with engine.write() as tx:
        for table in TABLES:
            tx.delete(table, ())


@contextmanager
def made(engine: Engine, folder: Path, plan: Plan) -> Iterator[Store]:
    """Make the store of a plan in an engine that is emptied first."""
    empty(engine)
    rules = AccessRules(untagged_is_open=plan.principal.untagged_is_open, deny_prefix=plan.principal.deny_prefix)
    scopes = frozenset({"admin"} if plan.principal.admin else {"read", "write", "delete"})
    caller = Caller("principal", scopes, plan.principal.groups, rules)
    stores = {
        uuid(9, n): FileStore(
            folder / f"backend-{n}",
            Backend(uuid(9, n), f"backend {n}", "example", "files", default_storage=n == 0, tags=tags_of(tag)),
            b"0123456789abcdef",
            upload_timeout_s=600,
            download_timeout_s=600,
        )
        for n, tag in enumerate(plan.backends)
    }
    clock = Clock()
    catalog = Catalog(engine, stores, Limits(), clock, OtherServers(), access=rules)
    catalog.prepare_access()
    store = Store(catalog, clock, caller, backends=dict(zip(stores, plan.backends, strict=True)))
    _fill(store, replace(ADMIN, rules=rules), plan)
    yield store


def _fill(store: Store, admin: Caller, plan: Plan) -> None:
    catalog = store.catalog
    for number, tag in enumerate(plan.webhooks):
        body = {"url": f"https://receiver.example/{number}", "events": ["flows/created"], "tags": tags_of(tag)}
        store.webhooks[catalog.webhooks.create(admin, body, BASE)["id"]] = tag
    for name, owner in (("all", admin), ("own", store.caller)):
        body = {"url": f"https://receiver.example/{name}", "events": list(EVENTS), "tags": {TAG: []}}
        store.webhooks[catalog.webhooks.create(owner, body, BASE)["id"]] = []
    for number, (tag, source, objects) in enumerate(plan.flows):
        store.clock.forward(1)
        id_, source_id = uuid(1, number), uuid(2, source)
        catalog.flows.put(admin, id_, flow(id=id_, source_id=source_id, tags=tags_of(tag)))
        store.flows[id_], store.source_of[id_] = tag, source_id
        store.sources.setdefault(source_id, tag)
        for place, object_number in enumerate(dict.fromkeys(objects)):
            _use(store, admin, id_, f"object-{object_number}", place)
    for number, tag in enumerate(plan.sources):
        if tag != "keep" and uuid(2, number) in store.sources:
            store.sources[uuid(2, number)] = tag
            _set_tag(catalog.sources, admin, uuid(2, number), tag)
    for number, tag in plan.later.items():
        if uuid(1, number) in store.flows:
            store.flows[uuid(1, number)] = tag
            _set_tag(catalog.flows, admin, uuid(1, number), tag)
    for number in plan.deleted:
        _delete(store, admin, uuid(1, number))


def _use(store: Store, admin: Caller, flow_id: str, object_id: str, place: int) -> None:
    """Register a segment; the first use allocates the object on one backend, and adds a copy elsewhere."""
    if object_id not in store.objects:
        backend = list(store.backends)[int(object_id[-1]) % 2]
        body = {"object_ids": [object_id], "storage_id": backend}
        store.catalog.allocation.allocate(admin, flow_id, body, BASE)
    segment = {"object_id": object_id, "timerange": f"[{place}:0_{place + 1}:0)", "object_timerange": "[0:0_9:0)"}
    errors = store.catalog.segments.register(admin, flow_id, [{**segment, "ts_offset": f"{place}:0"}])
    assert not errors
    store.objects.setdefault(object_id, []).append(flow_id)


def _set_tag(owner: Any, admin: Caller, id_: str, tag: Tag) -> None:
    if tag is not None:
        owner.set_tag(admin, id_, TAG, tag)
    elif TAG in owner.member(admin, id_, "tags"):
        owner.delete_tag(admin, id_, TAG)


def _delete(store: Store, admin: Caller, flow_id: str) -> None:
    if flow_id not in store.flows:
        return
    store.catalog.deletions.delete_flow(admin, flow_id)
    store.deleted[flow_id] = store.flows.pop(flow_id)
    source_id = store.source_of.pop(flow_id)
    if source_id not in store.source_of.values():
        store.deleted[source_id] = store.sources.pop(source_id)
    for flows in store.objects.values():
        if flow_id in flows:
            flows.remove(flow_id)
