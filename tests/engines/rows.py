"""Complete rows of the catalogue, for tests that only care about one or two columns."""

from typing import Any


def flow_row(id_: str, **columns: Any) -> Any:
    """A FlowRow with these columns. Tests use `segments_updated` as a counter."""
    empty = {"format": "f", "label": "", "unlabelled": True, "init_segments": False, "read_only": False}
    return {"id": id_, "source_id": "s", **empty, "created": 0, "metadata_updated": 0, "doc": {}, **columns}
