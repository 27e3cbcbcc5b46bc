"""The segments of an event as a webhook asks for them, with URLs that are signed when the event is sent (TRF-*)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.catalog.access.backends import readable_backends
from storage.catalog.access.object_access import readable_objects
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrl, GetUrlFilter, read_get_urls
from storage.tables.transaction import Reader


def event_segments(
    tx: Reader,
    env: Environment,
    owner: Caller | None,
    segments: Sequence[Mapping[str, Any]],
    doc: Mapping[str, Any],
    base_url: str,
) -> list[dict[str, Any]]:
    """Return the segments of an event with the members and URLs that the webhook asks for (TRF-01 to -08).

    owner: of the webhook; None if all may read everything. segments: as the event has them. doc: of the webhook.
    base_url: of this service, for its URLs.
    """
    get_urls = _get_urls(tx, env, owner, segments, doc, base_url)
    items = []
    for segment in segments:
        item = {name: value for name, value in segment.items() if name != "init_object_id"}
        if not doc.get("include_object_timerange", False):
            item.pop("object_timerange", None)
        item["get_urls"] = get_urls[item["object_id"]]
        if "init_object_id" in segment:
            init_id = segment["init_object_id"]
            item["init_object"] = {"object_id": init_id, "get_urls": get_urls[init_id]}
        items.append(item)
    return items


def _get_urls(
    tx: Reader,
    env: Environment,
    owner: Caller | None,
    segments: Sequence[Mapping[str, Any]],
    doc: Mapping[str, Any],
    base_url: str,
) -> dict[str, list[GetUrl]]:
    """The URLs of all objects of these segments, by object id.

    There are none of an object that no flow uses any more which the owner may read: the segment has gone since the
    event was recorded, and the object may be another one's by now.
    """
    url_filter = GetUrlFilter(
        labels=doc.get("accept_get_urls"),
        storage_ids=doc.get("accept_storage_ids"),
        presigned=doc.get("presigned"),
        verbose=doc.get("verbose_storage", False),
        backends=readable_backends(env, owner) if owner else None,
    )
    ids = {segment["object_id"] for segment in segments}
    ids |= {segment["init_object_id"] for segment in segments if "init_object_id" in segment}
    shown = readable_objects(tx, owner, ids) if owner is not None and owner.is_restricted else ids
    return {id_: [] for id_ in ids} | read_get_urls(tx, env, shown, url_filter, base_url)
