"""get_urls: the instances of objects as clients see them, filtered before any URL is signed (SEG-GET-19 to -37)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.objects.instances import instance_name
from storage.catalog.tags import TagFilter
from storage.media.names import extension_for
from storage.media.object_store import Backend
from storage.tables.conditions import In
from storage.tables.engine import Reader
from storage.tables.rows import InstanceRow

GetUrl = dict[str, Any]
"""One item of get_urls, as in flow-segment.json."""


@dataclass(frozen=True, slots=True)
class GetUrlFilter:
    """Which get_urls to return, and in how much detail; a URL must pass all filters.

    labels: None does not filter; an empty list selects no URLs at all.
    storage_ids: None or an empty list does not filter.
    presigned: only presigned URLs (True), only others (False), or both (None).
    verbose: whether to describe the storage backends too.
    """

    labels: Sequence[str] | None = None
    storage_ids: Sequence[str] | None = None
    presigned: bool | None = None
    backend_tags: TagFilter = field(default_factory=TagFilter)
    verbose: bool = False

    @property
    def selects_none(self) -> bool:
        """Whether no URL can pass."""
        return self.labels is not None and not self.labels

    def passes_instance(self, label: str | None, storage_id: str | None, backend: Backend | None) -> bool:
        """Whether an instance passes every filter but `presigned` (A35, A63). backend: None if it is uncontrolled."""
        if self.labels is not None and label not in self.labels:
            return False
        if self.storage_ids and storage_id not in self.storage_ids:
            return False
        return self.backend_tags.matches(backend.tags if backend else {})


def read_get_urls(
    tx: Reader, env: Environment, object_ids: Iterable[str], filters: GetUrlFilter, base_url: str
) -> dict[str, list[GetUrl]]:
    """The get_urls of each of these objects, by object id, with those of controlled instances first.

    base_url: origin and base path of this server, for URLs of its own media store.
    """
    ids = list(object_ids)
    if filters.selects_none or not ids:
        return {object_id: [] for object_id in ids}
    return get_urls_of(env, ids, read_instances(tx, env, ids), filters, base_url)


def read_instances(tx: Reader, env: Environment, object_ids: Sequence[str]) -> list[InstanceRow]:
    """The instances of these objects, in the order of their keys.

    Those from before instances had extensions are given one, if the store finds the bytes under a name with any.
    """
    rows = tx.select("instances", [In("object_id", object_ids)], order=("object_id", "instance"))
    bare = [row for row in rows if row["extension"] is None and _extension_is_free(env, row["storage_id"])]
    if bare:
        objects = tx.select("objects", [In("id", [row["object_id"] for row in bare])], columns=["id", "content_type"])
        types = {row["id"]: row["content_type"] for row in objects}
        for row in bare:
            row["extension"] = extension_for(row["object_id"], types.get(row["object_id"]))
    return rows


def _extension_is_free(env: Environment, storage_id: str | None) -> bool:
    store = env.stores.get(storage_id or "")
    return store is not None and store.extension_is_free


def get_urls_of(
    env: Environment, object_ids: Iterable[str], instances: Iterable[InstanceRow], filters: GetUrlFilter, base_url: str
) -> dict[str, list[GetUrl]]:
    """The get_urls of each of these objects, as `read_get_urls` returns them. instances: all that they have."""
    found: dict[str, list[GetUrl]] = {object_id: [] for object_id in object_ids}
    if filters.selects_none:
        return found
    for row in sorted(instances, key=lambda row: (row["storage_id"] is None, row["created"])):
        if row["storage_id"] is None:
            found[row["object_id"]] += _uncontrolled_urls(row, filters)
        else:
            found[row["object_id"]] += _signed_urls(env, row, row["storage_id"], filters, base_url)
    return found


def _signed_urls(
    env: Environment, row: InstanceRow, storage_id: str, filters: GetUrlFilter, base_url: str
) -> list[GetUrl]:
    """The URLs of an instance on a storage backend, signed now; none if the filters exclude it."""
    store = env.stores.get(storage_id)
    if store is None or not filters.passes_instance(store.backend.label, store.backend.id, store.backend):
        return []
    downloads = store.download_urls(instance_name(row), presigned=filters.presigned, base_url=base_url)
    details: GetUrl = {}
    if filters.verbose:  # SEG-GET-23
        details = {"storage_id": store.backend.id, "controlled": True, **store.backend.technical_description()}
    label = {} if store.backend.label is None else {"label": store.backend.label}
    return [{"url": each.url, "presigned": each.presigned, **label, **details} for each in downloads]


def _uncontrolled_urls(row: InstanceRow, filters: GetUrlFilter) -> list[GetUrl]:
    """The URL of an uncontrolled instance, as registered; none if the filters exclude it."""
    if filters.presigned or not filters.passes_instance(row["label"], None, None):
        return []
    details = {"controlled": False} if filters.verbose else {}
    return [{"url": row["url"], "presigned": False, "label": row["label"], **details}]
