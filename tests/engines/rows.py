"""Rows of the catalogue's tables with what they must have, for tests that mind one or two columns of them."""

from typing import Any


def flow_row(id_: str, **columns: Any) -> dict[str, Any]:
    """A flow, whose `segments_updated` tests count in."""
    empty = {"format": "f", "label": "", "unlabelled": True, "init_segments": False, "read_only": False}
    return {"id": id_, "source_id": "s", **empty, "created": 0, "metadata_updated": 0, "doc": {}, **columns}
