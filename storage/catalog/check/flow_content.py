"""The part of a check that compares where flows have segments with what their rows say of it."""

from collections.abc import Iterator

from storage.catalog.check.findings import WRONG_CONTENT, Finding, Progress, batches, pages
from storage.catalog.environment import Environment
from storage.catalog.flows.content_range import known_content, look_up_content, renew_content, united
from storage.catalog.retry import retried
from storage.tables.conditions import In
from storage.tables.engine import Reader, Row


class Contents:
    def __init__(self, env: Environment, repair: bool, progress: Progress) -> None:
        self._env = env
        self._repair = repair
        self._progress = progress

    def compare(self) -> Iterator[Finding]:
        """Look for flows with segments outside of what their rows say, where no request would find them."""
        read = 0
        self._progress("flows", read)
        for rows in pages(self._env, "flows", ["content_start"]):
            for ids in batches(row["id"] for row in rows if row["content_start"] is not None):
                yield from self._compare(ids)
            read += len(rows)
            self._progress("flows", read)

    def _compare(self, ids: list[str]) -> Iterator[Finding]:
        with self._env.engine.read() as tx:
            wrong = [row["id"] for row in tx.select("flows", [In("id", ids)]) if not _is_right(tx, row)]
        for flow_id in wrong:
            if not self._repair or self._widen(flow_id):
                detail = "it has segments before or after the time in which its row says that it has any"
                yield Finding(WRONG_CONTENT, detail, flow_id=flow_id, repaired=self._repair)

    @retried
    def _widen(self, flow_id: str) -> bool:
        """Whether there was anything to mend."""
        with self._env.engine.write() as tx:
            tx.lock(f"flow:{flow_id}")
            row = tx.get("flows", id=flow_id)
            if row is None or _is_right(tx, row):
                return False
            renew_content(tx, flow_id)
        return True


def _is_right(tx: Reader, row: Row) -> bool:
    content = known_content(row)
    if content is None:
        return True
    found = look_up_content(tx, row["id"])
    return found[0] == found[1] or united(content, found) == content
