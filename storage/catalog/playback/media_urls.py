"""Where players find the objects of segments: URLs that need no credential, and stay the same for an hour."""

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter, read_instances
from storage.catalog.objects.instances import instance_name
from storage.media.object_store import ObjectStore
from storage.playback.media_segment import MediaSegment
from storage.tables.rows import InstanceRow
from storage.tables.transaction import Reader

_BATCH: Final = 500
_IN_PLAYLISTS: Final = re.compile(r"(?!#)[^\s\"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
"""A URL that a client has registered, and that can be neither a tag, nor the end of an attribute or of a line."""


def read_urls(
    tx: Reader, env: Environment, segments: Sequence[MediaSegment], filters: GetUrlFilter, base_url: str
) -> dict[str, str | None]:
    """A URL for each object of the segments and each init object, by object id; None for one that has none.

    Presigned URLs of storage backends come before URLs elsewhere, and older instances before newer ones.
    filters: which storage backends the caller may read. base_url: origin and base path of this server, for URLs of its
    own media store.
    """
    urls: dict[str, str | None] = dict.fromkeys(filter(None, map(attrgetter("init_object_id"), segments)))
    urls |= dict.fromkeys(map(attrgetter("object_id"), segments))
    ids = list(urls)
    stores = {id_: store for id_, store in env.stores.items() if filters.passes_store(store)}
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        instances = read_instances(tx, env, batch, filters)
        if len(set(map(itemgetter("object_id"), instances))) < len(instances):
            instances.sort(key=itemgetter("created"))
        _add_urls(urls, stores, instances, base_url)
    return urls


def _add_urls(
    urls: dict[str, str | None], stores: Mapping[str, ObjectStore], instances: Sequence[InstanceRow], base_url: str
) -> None:
    """Add the URLs of objects by all their instances, the oldest first. Those of a store are signed all at once.

    stores: those that the caller may read, by the id of their storage backend.
    """
    chosen: dict[str, InstanceRow] = {}
    for row in reversed(instances):
        if row["storage_id"] in stores:
            chosen[row["object_id"]] = row
        elif row["storage_id"] is None and _IN_PLAYLISTS.fullmatch(row["url"] or ""):
            urls[row["object_id"]] = row["url"]
    for storage_id in dict.fromkeys(map(itemgetter("storage_id"), chosen.values())):
        rows = [row for row in chosen.values() if row["storage_id"] == storage_id]
        names = [instance_name(row) for row in rows]
        signed = stores[storage_id].download_urls(names, presigned=True, base_url=base_url, stable=True).presigned
        urls.update(zip(map(itemgetter("object_id"), rows), signed, strict=True))
