"""What a check has seen, kept on disk while it runs: there may be more of it than fits into memory.

A private SQLite database in the folder for temporary files, which vanishes with the process.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b
from types import TracebackType
from typing import Self

_CACHE_KB = 64 * 1024
_AT_ONCE = 500
"""Values in one query."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
CREATE TABLE stored (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE named (object_id TEXT, flow_id TEXT, segments INTEGER, PRIMARY KEY (object_id, flow_id)) WITHOUT ROWID;
"""


class Seen:
    """stored: which objects have bytes where. named: how many segments of each flow name each object."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        # One transaction to the end: nothing of it is to be kept, and committing each row would take most of the time.
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add_stored(self, storage_id: str, object_ids: Collection[str]) -> None:
        rows = [(_digest(storage_id, object_id),) for object_id in object_ids]
        self._database.executemany("INSERT OR IGNORE INTO stored VALUES (?)", rows)

    def is_stored(self, storage_id: str, object_id: str) -> bool:
        found = self._database.execute("SELECT 1 FROM stored WHERE digest = ?", (_digest(storage_id, object_id),))
        return found.fetchone() is not None

    def add_named(self, counts: Mapping[tuple[str, str], int]) -> None:
        """counts: segments by object id and flow id."""
        self._database.executemany(
            "INSERT INTO named VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET segments = segments + excluded.segments",
            [(object_id, flow_id, count) for (object_id, flow_id), count in counts.items()],
        )

    def named(self) -> Iterator[tuple[str, str, int]]:
        """Object id, flow id and count, in the order of ids by code point."""
        yield from self._database.execute("SELECT object_id, flow_id, segments FROM named ORDER BY object_id, flow_id")

    def which_named(self, object_ids: Collection[str]) -> set[str]:
        """Those of the objects that some segment names."""
        found: set[str] = set()
        ids = list(object_ids)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._database.execute(f"SELECT object_id FROM named WHERE object_id IN ({marks})", some)  # noqa: S608
            found.update(row[0] for row in rows)
        return found


def _digest(storage_id: str, object_id: str) -> bytes:
    return blake2b(f"{storage_id} {object_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
