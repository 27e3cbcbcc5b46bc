"""A temporary index of what a check has read, on disk, since it may not fit into memory.

It is a private SQLite database in the folder for temporary files, which vanishes with the process.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b
from types import TracebackType
from typing import Self

_CACHE_KB = 64 * 1024
_BATCH = 500
"""Values in one query."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
CREATE TABLE stored (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE refs (object_id TEXT, flow_id TEXT, segments INTEGER, PRIMARY KEY (object_id, flow_id)) WITHOUT ROWID;
"""


class ScratchIndex:
    """Which objects have bytes on which storage backend, and how many segments of each flow refer to each object."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        # A single transaction that is never committed: nothing is to be kept, and commits would take most of the time.
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add_stored(self, storage_id: str, object_ids: Collection[str]) -> None:
        """Add objects whose bytes are on a storage backend."""
        rows = [(_digest(storage_id, object_id),) for object_id in object_ids]
        self._database.executemany("INSERT OR IGNORE INTO stored VALUES (?)", rows)

    def is_stored(self, storage_id: str, object_id: str) -> bool:
        """Whether the bytes of an object were added for this storage backend."""
        found = self._database.execute("SELECT 1 FROM stored WHERE digest = ?", (_digest(storage_id, object_id),))
        return found.fetchone() is not None

    def add_references(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add numbers of referring segments, by object id and flow id, to those added before."""
        self._database.executemany(
            "INSERT INTO refs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET segments = segments + excluded.segments",
            [(object_id, flow_id, count) for (object_id, flow_id), count in counts.items()],
        )

    def references(self) -> Iterator[tuple[str, str, int]]:
        """Yield object id, flow id and number of segments, ordered by the ids' code points."""
        yield from self._database.execute("SELECT object_id, flow_id, segments FROM refs ORDER BY object_id, flow_id")

    def referenced(self, object_ids: Collection[str]) -> set[str]:
        """Return those of the objects that segments refer to."""
        found: set[str] = set()
        ids = list(object_ids)
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            marks = ", ".join("?" * len(batch))
            rows = self._database.execute(f"SELECT object_id FROM refs WHERE object_id IN ({marks})", batch)  # noqa: S608
            found.update(row[0] for row in rows)
        return found


def _digest(storage_id: str, object_id: str) -> bytes:
    return blake2b(f"{storage_id} {object_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
