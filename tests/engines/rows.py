"""Complete rows of the catalogue, for tests that only care about one or two columns."""

from typing import Any

from storage.tables.engine import Engine


def flow_row(id_: str, **columns: Any) -> Any:
    """A FlowRow with these columns. Tests use `segments_updated` as a counter."""
    empty = {"format": "f", "label": "", "unlabelled": True, "init_segments": False, "read_only": False}
    return {"id": id_, "source_id": "s", **empty, "created": 0, "metadata_updated": 0, "doc": {}, **columns}


def segment_row(start: int, end: int, flow_id: str = "f") -> Any:
    plain = {"object_id": "o", "timerange": "", "created": 0, "doc": {}}
    return {**plain, "flow_id": flow_id, "start_ns": start, "end_ns": end}


def insert_segments(engine: Engine, *rows: Any) -> None:
    with engine.write() as tx:
        tx.insert("segments", rows)


def segment_starts(engine: Engine) -> list[int]:
    with engine.read() as tx:
        return [row["start_ns"] for row in tx.select("segments", order=("flow_id", "start_ns"))]
