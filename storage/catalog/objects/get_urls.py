"""get_urls: the instances of objects as clients see them, filtered before any URL is signed (SEG-GET-19 to -37)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from operator import itemgetter
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.objects.instances import instance_name
from storage.catalog.tags import TagFilter
from storage.media.names import extension_for
from storage.media.object_store import Backend, ObjectStore
from storage.tables.conditions import In
from storage.tables.rows import InstanceRow
from storage.tables.transaction import ByteBudget, Reader

_COLUMNS = ("object_id", "instance", "storage_id", "label", "url", "created", "extension")

GetUrl = dict[str, Any]
"""One item of get_urls, as in flow-segment.json."""


@dataclass(frozen=True, slots=True)
class GetUrlFilter:
    """Which get_urls to return, and in how much detail; a URL must pass all filters.

    labels: None does not filter; an empty list selects no URLs at all.
    storage_ids: None or an empty list does not filter.
    presigned: only presigned URLs (True), only others (False), or both (None).
    verbose: whether to describe the storage backends too. backends: the ids of those whose URLs the caller may see;
    None for all.
    """

    labels: Sequence[str] | None = None
    storage_ids: Sequence[str] | None = None
    presigned: bool | None = None
    backend_tags: TagFilter = field(default_factory=TagFilter)
    verbose: bool = False
    backends: frozenset[str] | None = None

    def of_backends(self, ids: frozenset[str] | None) -> "GetUrlFilter":
        """Return the same filter, limited to URLs of these storage backends, and elsewhere (AUTHZ-07)."""
        return self if ids is None else replace(self, backends=ids)

    @property
    def selects_none(self) -> bool:
        """Whether no URL can pass."""
        return self.labels is not None and not self.labels

    def passes_store(self, store: ObjectStore) -> bool:
        """Whether the instances on a storage backend pass every filter but `presigned`."""
        if self.backends is not None and store.backend.id not in self.backends:
            return False
        return self.passes_instance(store.backend.label, store.backend.id, store.backend)

    def passes_instance(self, label: str | None, storage_id: str | None, backend: Backend | None) -> bool:
        """Whether an instance passes every filter but `presigned` (A35, A63). backend: None if it is uncontrolled."""
        if self.labels is not None and label not in self.labels:
            return False
        if self.storage_ids and storage_id not in self.storage_ids:
            return False
        return self.backend_tags.matches(backend.tags if backend else {})


def read_get_urls(
    tx: Reader,
    env: Environment,
    object_ids: Iterable[str],
    filters: GetUrlFilter,
    base_url: str,
    budget: ByteBudget | None = None,
) -> dict[str, list[GetUrl]]:
    """The get_urls of each of these objects, by object id, with those of controlled instances first.

    base_url: origin and base path of this server, for URLs of its own media store.
    budget: for the URLs that are stored; some are missing if it is spent.
    """
    ids = list(object_ids)
    if filters.selects_none or not ids:
        return {object_id: [] for object_id in ids}
    return get_urls_of(env, ids, read_instances(tx, env, ids, filters, budget=budget), filters, base_url)


def read_instances(
    tx: Reader,
    env: Environment,
    object_ids: Sequence[str],
    filters: GetUrlFilter,
    content_types: Mapping[str, str | None] | None = None,
    budget: ByteBudget | None = None,
) -> list[InstanceRow]:
    """The instances of these objects, in the order of their keys.

    Those from before instances had extensions are given one, if the store finds the bytes under a name with any and
    the filters let its URLs through. content_types: by object id; read if None and if they matter.
    """
    order = ("object_id", "instance")
    rows = tx.select("instances", [In("object_id", object_ids)], order=order, columns=_COLUMNS, budget=budget)
    bare = [row for row in rows if row["extension"] is None and row["storage_id"] is not None]
    if bare:
        free = {id_ for id_, store in env.stores.items() if store.extension_is_free and filters.passes_store(store)}
        bare = [row for row in bare if row["storage_id"] in free]
    if bare and content_types is None:
        objects = tx.select("objects", [In("id", [row["object_id"] for row in bare])], columns=["id", "content_type"])
        content_types = {row["id"]: row["content_type"] for row in objects}
    for row in bare:
        row["extension"] = extension_for(row["object_id"], (content_types or {}).get(row["object_id"]))
    return rows


def get_urls_of(
    env: Environment, object_ids: Iterable[str], instances: Sequence[InstanceRow], filters: GetUrlFilter, base_url: str
) -> dict[str, list[GetUrl]]:
    """The get_urls of each of these objects, as `read_get_urls` returns them. instances: all that they have."""
    found: dict[str, list[GetUrl]] = {object_id: [] for object_id in object_ids}
    if filters.selects_none:
        return found
    if len(set(map(itemgetter("object_id"), instances))) < len(instances):
        instances = sorted(instances, key=lambda row: (row["storage_id"] is None, row["created"]))
    for row, urls in zip(instances, _urls(env, instances, filters, base_url), strict=False):
        found[row["object_id"]] += urls
    return found


def _urls(
    env: Environment, instances: Sequence[InstanceRow], filters: GetUrlFilter, base_url: str
) -> Iterator[Sequence[GetUrl]]:
    """The URLs of each of these instances. Those of a storage backend are signed all at once."""
    by_storage: dict[str | None, list[InstanceRow]] = {}
    for row in instances:
        by_storage.setdefault(row["storage_id"], []).append(row)
    urls = {
        storage_id: _uncontrolled_urls(rows, filters)
        if storage_id is None
        else _controlled_urls(env.stores.get(storage_id), rows, filters, base_url)
        for storage_id, rows in by_storage.items()
    }
    return (next(urls[row["storage_id"]]) for row in instances)


def _controlled_urls(
    store: ObjectStore | None, rows: Sequence[InstanceRow], filters: GetUrlFilter, base_url: str
) -> Iterator[Sequence[GetUrl]]:
    """The URLs of each of these instances on one storage backend, signed now; none if the filters exclude it."""
    if store is None or not filters.passes_store(store):
        return repeat(())
    urls = store.download_urls([instance_name(row) for row in rows], presigned=filters.presigned, base_url=base_url)
    details: GetUrl = {} if store.backend.label is None else {"label": store.backend.label}
    if filters.verbose:  # SEG-GET-23
        details |= {"storage_id": store.backend.id, "controlled": True, **store.backend.technical_description()}
    kinds = [
        [{"url": url, "presigned": presigned, **details} for url in of_kind]
        for of_kind, presigned in ((urls.presigned, True), (urls.plain, False))
        if of_kind
    ]
    return zip(*kinds, strict=True) if kinds else repeat(())


def _uncontrolled_urls(rows: Sequence[InstanceRow], filters: GetUrlFilter) -> Iterator[Sequence[GetUrl]]:
    """The URL of each of these uncontrolled instances, as registered; none for those that the filters exclude."""
    details = {"controlled": False} if filters.verbose else {}
    for row in rows:
        if filters.presigned or not filters.passes_instance(row["label"], None, None):
            yield ()
        else:
            yield [{"url": row["url"], "presigned": False, "label": row["label"], **details}]
