"""The part of a check that finds numbers of live playlists whose flow is gone."""

from collections.abc import Iterator, Sequence

from storage.catalog.check.findings import LEFT_NUMBERS, Finding, Progress, batches, pages
from storage.catalog.environment import Environment
from storage.catalog.live_anchors import PREFIX, anchor_key, delete_anchor
from storage.catalog.retry import retried
from storage.tables.conditions import In
from storage.tables.transaction import Reader


class LeftAnchors:
    def __init__(self, env: Environment, repair: bool, progress: Progress) -> None:
        self._env = env
        self._repair = repair
        self._progress = progress

    def find(self) -> Iterator[Finding]:
        """Find anchors whose flow does not exist: a new flow with its id would go on with its numbers.

        A playlist that is read while its flow is deleted may leave one.
        """
        read = 0
        for rows in pages(self._env, "service", []):
            ids = [row["key"].removeprefix(PREFIX) for row in rows if row["key"].startswith(PREFIX)]
            for batch in batches(ids):
                with self._env.engine.read() as tx:
                    left = _without_flow(tx, batch)
                for flow_id in left:
                    if not self._repair or self._delete(flow_id):
                        detail = f"numbers of live playlists of flow {flow_id}, which does not exist, are left"
                        yield Finding(LEFT_NUMBERS, detail, flow_id=flow_id, repaired=self._repair)
            read += len(ids)
            self._progress("numbers of live playlists", read)

    @retried
    def _delete(self, flow_id: str) -> bool:
        """Returns False if the flow has come back meanwhile."""
        with self._env.engine.write() as tx:
            tx.lock(anchor_key(flow_id))
            if not _without_flow(tx, [flow_id]):
                return False
            delete_anchor(tx, flow_id)
        return True


def _without_flow(tx: Reader, flow_ids: Sequence[str]) -> list[str]:
    existing = {row["id"] for row in tx.select("flows", [In("id", flow_ids)], columns=["id"])}
    return [id_ for id_ in flow_ids if id_ not in existing]
