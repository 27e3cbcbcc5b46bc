"""The consistency check of a catalogue and its stores, and the repair of what can be repaired.

The check reads everything once, in pages, while others write. Whatever looks wrong is read again, in a single
transaction, before it is reported or repaired, so that work in progress is never taken for an error.
"""

from collections.abc import Iterator

from storage.catalog.check.findings import DAMAGED_DATABASE, Finding, Progress
from storage.catalog.check.flow_content import FlowContent
from storage.catalog.check.left_anchors import LeftAnchors
from storage.catalog.check.object_references import ObjectReferences
from storage.catalog.check.scratch_index import ScratchIndex
from storage.catalog.check.segment_times import SegmentTimes
from storage.catalog.check.stored_bytes import StoredBytes
from storage.catalog.check.tag_rows import TagRows
from storage.catalog.check.usage_totals import UsageTotals
from storage.catalog.environment import Environment
from storage.media.object_store import ObjectStore


class Consistency:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def check(
        self, *, repair: bool = False, storage_id: str | None = None, progress: Progress = lambda _what, _count: None
    ) -> Iterator[Finding]:
        """Yield everything that is wrong, as it is found.

        What the database itself finds damaged comes first. Then nothing else is checked, since that relies on it.

        repair: schedule the removal of unknown bytes, and correct counts of references, expiry times, content
        ranges, rows of tags, numbers of live playlists and the usage of principals. Segments and the places of bytes
        are never changed.
        storage_id: check only the bytes on this storage backend.
        Raises: storage.errors.Invalid for an unknown storage backend; Unavailable if the catalogue is.
        """
        env = self._env
        stores = dict(env.stores) if storage_id is None else {storage_id: env.store(storage_id, "")}
        return _findings(env, stores, repair, whole=storage_id is None, progress=progress)


def _findings(
    env: Environment, stores: dict[str, ObjectStore], repair: bool, *, whole: bool, progress: Progress
) -> Iterator[Finding]:
    damaged = [Finding(DAMAGED_DATABASE, detail) for detail in env.engine.find_damage()]
    if env.engine.own_check is not None:
        progress(f"database by {env.engine.own_check}", 1)
    yield from damaged
    if damaged:
        return
    with ScratchIndex() as index:
        stored_bytes = StoredBytes(env, stores, index, repair, progress)
        yield from stored_bytes.unknown_bytes()
        yield from stored_bytes.missing_bytes(whole=whole)
        if whole:
            references = ObjectReferences(env, index, repair, progress)
            times = SegmentTimes(env)
            references.count(times)
            yield from times.find()
            yield from references.compare_counts()
            yield from references.compare_objects()
            yield from FlowContent(env, repair, progress).compare()
            tag_rows = TagRows(env, repair, progress)
            yield from tag_rows.compare()
            yield from tag_rows.compare_segments()
            yield from LeftAnchors(env, repair, progress).find()
            usage = UsageTotals(env, repair, progress)
            yield from usage.find_uncharged()
            yield from usage.compare()
