"""Where players find the objects of segments: URLs that need no credential, and stay the same for an hour."""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter, read_instances
from storage.catalog.objects.instances import instance_name
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
    ids = list(dict.fromkeys(id_ for each in segments for id_ in (each.init_object_id, each.object_id) if id_))
    urls: dict[str, str | None] = dict.fromkeys(ids)
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        instances = read_instances(tx, env, batch, filters)
        if len(instances) > len(batch):
            instances.sort(key=itemgetter("created"))
        _add_urls(urls, env, instances, filters, base_url)
    return urls


def _add_urls(
    urls: dict[str, str | None],
    env: Environment,
    instances: Sequence[InstanceRow],
    filters: GetUrlFilter,
    base_url: str,
) -> None:
    """Add the URLs of objects by all their instances. Those of a storage backend are signed all at once."""
    by_storage: dict[str, list[InstanceRow]] = {}
    chosen: set[str] = set()
    for row in instances:
        id_, storage_id = row["object_id"], row["storage_id"]
        if storage_id is None:
            if urls[id_] is None and _IN_PLAYLISTS.fullmatch(row["url"] or ""):
                urls[id_] = row["url"]
        elif id_ not in chosen and storage_id in env.stores and filters.passes_store(env.stores[storage_id]):
            chosen.add(id_)
            by_storage.setdefault(storage_id, []).append(row)
    for storage_id, rows in by_storage.items():
        names = [instance_name(row) for row in rows]
        signed = env.stores[storage_id].download_urls(names, presigned=True, base_url=base_url, stable=True).presigned
        urls.update(zip(map(itemgetter("object_id"), rows), signed, strict=True))
