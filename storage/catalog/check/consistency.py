"""Whether the catalogue and the stores agree, and the catalogue with itself; and what of it can be mended.

A check reads everything once, in pages, while others write. What looks wrong is looked at again, alone and in one
transaction, before it is told or mended, so that work under way is never taken for a fault.
"""

from collections.abc import Iterator

from storage.catalog.check.findings import Finding, Progress
from storage.catalog.check.flow_content import Contents
from storage.catalog.check.object_references import ObjectNames
from storage.catalog.check.seen import Seen
from storage.catalog.check.stored_bytes import StoredBytes
from storage.catalog.environment import Environment
from storage.media.object_store import ObjectStore


class Consistency:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def check(
        self, *, repair: bool = False, storage_id: str | None = None, progress: Progress = lambda _what, _count: None
    ) -> Iterator[Finding]:
        """Everything that is wrong, as it is found. Bytes are compared on every backend, or on that one only, and
        then nothing else is.

        repair: bytes that nothing knows are handed to the job that removes bytes; counts and times of collection are
        set right. Segments and instances are never touched.
        Raises storage.errors.Invalid where there is no such backend, Unavailable where the catalogue fails.
        """
        env = self._env
        stores = dict(env.stores) if storage_id is None else {storage_id: env.store(storage_id, "")}
        return _findings(env, stores, repair, whole=storage_id is None, progress=progress)


def _findings(
    env: Environment, stores: dict[str, ObjectStore], repair: bool, *, whole: bool, progress: Progress
) -> Iterator[Finding]:
    with Seen() as spool:
        places = StoredBytes(env, stores, spool, repair, progress)
        yield from places.unknown_bytes()
        yield from places.missing_bytes(whole=whole)
        if whole:
            names = ObjectNames(env, spool, repair, progress)
            names.count()
            yield from names.compare()
            yield from names.objects()
            yield from Contents(env, repair, progress).compare()
