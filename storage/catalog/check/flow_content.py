"""The part of a check that compares the content ranges and outlines that flows record with their segments."""

from collections.abc import Iterator

from storage.catalog.check.findings import WRONG_CONTENT, Finding, Progress, batches, pages
from storage.catalog.environment import Environment
from storage.catalog.flows.content_range import (
    CONTENT_COLUMNS,
    content_columns,
    measure_content_span,
    recorded_content_span,
    refresh_content_span,
)
from storage.catalog.retry import retried
from storage.catalog.spans import covering_span
from storage.tables.conditions import In
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader


class FlowContent:
    def __init__(self, env: Environment, repair: bool, progress: Progress) -> None:
        self._env = env
        self._repair = repair
        self._progress = progress

    def compare(self) -> Iterator[Finding]:
        """Find flows whose content range or outline is wrong, so that requests do not find them or their segments."""
        read = 0
        self._progress("flows", read)
        for rows in pages(self._env, "flows", ["content_start"]):
            for ids in batches(row["id"] for row in rows if row["content_start"] is not None):
                yield from self._compare(ids)
            read += len(rows)
            self._progress("flows", read)

    def _compare(self, flow_ids: list[str]) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            wrong = [row["id"] for row in tx.select("flows", [In("id", flow_ids)]) if not _is_right(tx, row)]
        for flow_id in wrong:
            if not self._repair or self._correct(flow_id):
                detail = "the content range that is recorded for the flow does not fit its segments"
                yield Finding(WRONG_CONTENT, detail, flow_id=flow_id, repaired=self._repair)

    @retried
    def _correct(self, flow_id: str) -> bool:
        """Record the actual content range. Returns False if the recorded one is right by now."""
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            row = tx.get("flows", id=flow_id)
            if row is None or _is_right(tx, row):
                return False
            refresh_content_span(tx, flow_id)
        return True


def _is_right(tx: Reader, row: FlowRow) -> bool:
    """Whether the content range covers all segments and is empty only without any, and the outline is that of it."""
    recorded = recorded_content_span(row)
    if recorded is None:
        return True
    if row["outline_node"] is not None and content_columns(recorded, row).keys() != set(CONTENT_COLUMNS):
        return False
    actual = measure_content_span(tx, row["id"])
    is_empty = recorded[0] == recorded[1]
    return covering_span(recorded, actual) == recorded and is_empty == (actual[0] == actual[1])
