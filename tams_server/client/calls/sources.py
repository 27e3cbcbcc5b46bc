"""Sources."""

from typing import Any, cast

import httpx

from tams_server.client.calls.call import PAGE, Call, Listing, put, quoted, remove
from tams_server.client.documents import Source


def sources(**filters: str) -> Listing[Source]:
    """The sources that pass the filters, such as format. For those with a dot: `**{"tag.genre": "news"}`."""
    return Listing("/sources", {"limit": str(PAGE), **filters})


def source(source_id: str) -> Call[Source]:
    """One source (source.json)."""
    return Call("GET", f"/sources/{quoted(source_id)}", _source)


def put_source_member(source_id: str, name: str, value: str) -> Call[None]:
    """Set the label or description of a source."""
    return put(f"/sources/{quoted(source_id)}/{name}", value)


def delete_source_member(source_id: str, name: str) -> Call[None]:
    """Remove the label or description of a source. A 404 means that there was none."""
    return remove(f"/sources/{quoted(source_id)}/{name}")


def put_source_tag(source_id: str, name: str, value: Any) -> Call[None]:
    """Set one tag of a source, to a text or a list of texts."""
    return put(f"/sources/{quoted(source_id)}/tags/{quoted(name)}", value)


def delete_source_tag(source_id: str, name: str) -> Call[None]:
    """Remove one tag of a source. A 404 means that there was none."""
    return remove(f"/sources/{quoted(source_id)}/tags/{quoted(name)}")


def _source(response: httpx.Response) -> Source:
    return cast(Source, response.json())
