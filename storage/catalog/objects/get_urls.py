"""get_urls: the instances of objects as clients see them, filtered before anything is signed (SEG-GET-19 to -37)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.tags import TagFilter
from storage.media.object_store import Backend
from storage.tables.conditions import In
from storage.tables.engine import Reader, Row

Url = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UrlFilter:
    """Which URLs a client wants to see, and how much of them; a URL must pass all.

    labels, storage_ids: None is no filter; no labels at all means no URLs. presigned: only such, or only others.
    """

    labels: Sequence[str] | None = None
    storage_ids: Sequence[str] | None = None
    presigned: bool | None = None
    backend_tags: TagFilter = field(default_factory=TagFilter)
    verbose: bool = False

    @property
    def wants_none(self) -> bool:
        return self.labels is not None and not self.labels

    def wants(self, label: str | None, storage_id: str | None, backend: Backend | None) -> bool:
        """Whether an instance passes all but the filter on signing (A35, A63)."""
        if self.labels is not None and label not in self.labels:
            return False
        if self.storage_ids and storage_id not in self.storage_ids:
            return False
        return self.backend_tags.matches(backend.tags if backend else {})


def read_get_urls(
    tx: Reader, env: Environment, object_ids: Iterable[str], wanted: UrlFilter, base_url: str
) -> dict[str, list[Url]]:
    """The get_urls of each of the objects, those of controlled instances first."""
    found: dict[str, list[Url]] = {object_id: [] for object_id in object_ids}
    if wanted.wants_none or not found:
        return found
    rows = tx.select("instances", [In("object_id", list(found))], order=("object_id", "instance"))
    for row in sorted(rows, key=lambda row: (row["storage_id"] is None, row["created"])):
        found[row["object_id"]] += _urls(env, row, wanted, base_url)
    return found


def _urls(env: Environment, row: Row, wanted: UrlFilter, base_url: str) -> list[Url]:
    if row["storage_id"] is None:
        return _uncontrolled(row, wanted)
    store = env.stores.get(row["storage_id"])
    if store is None or not wanted.wants(store.backend.label, store.backend.id, store.backend):
        return []
    downloads = store.downloads(row["object_id"], presigned=wanted.presigned, base_url=base_url)
    more: Url = {}
    if wanted.verbose:  # SEG-GET-23
        more = {"storage_id": store.backend.id, "controlled": True, **store.backend.described()}
    label = {} if store.backend.label is None else {"label": store.backend.label}
    return [{"url": each.url, "presigned": each.presigned, **label, **more} for each in downloads]


def _uncontrolled(row: Row, wanted: UrlFilter) -> list[Url]:
    if wanted.presigned or not wanted.wants(row["label"], None, None):
        return []
    more = {"controlled": False} if wanted.verbose else {}
    return [{"url": row["url"], "presigned": False, "label": row["label"], **more}]
