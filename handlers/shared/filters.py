"""From query parameters that several operations share to filters of the catalogue."""

from collections.abc import Callable

from handlers.shared.call import Call
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.tags import TagFilter
from storage.timerange import ETERNITY, TimeRange, parse_timerange_filter


def tag_filter(call: Call, prefix: str = "tag") -> TagFilter:
    """Return the filter of `tag.{name}` and `tag_exists.{name}`, or of another prefix (TAGQ-01 to -08)."""
    return TagFilter(call.query.get(prefix, {}), call.query.get(f"{prefix}_exists", {}))


def url_filter(call: Call) -> GetUrlFilter:
    """Return the filter of get_urls (SEG-GET-22 to -34)."""
    query = call.query
    return GetUrlFilter(
        labels=query.get("accept_get_urls"),
        storage_ids=query.get("accept_storage_ids"),
        presigned=query.get("presigned"),
        backend_tags=tag_filter(call, "storage_backend_tag"),
        verbose=query.get("verbose_storage", False),
    )


def timerange(call: Call, parse: Callable[[str], TimeRange] = parse_timerange_filter) -> TimeRange:
    """Return the `timerange` parameter, or ETERNITY if it is absent. Raises storage.errors.Invalid (TR-16)."""
    text = call.query.get("timerange")
    return ETERNITY if text is None else parse(text)
