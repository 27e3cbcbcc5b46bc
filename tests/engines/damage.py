"""Damage to the file of an SQLite database."""

import sqlite3
from contextlib import closing
from pathlib import Path


def damage_index(file: Path, table: str) -> None:
    """Have an index of a table, if it has rows, list other values than the table."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? ORDER BY name LIMIT 1"
        (page,) = database.execute(query, [table]).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as content:
        # The last bytes of a page hold the first entry.
        content.seek(page * size - 8)
        content.write(b"\x5a" * 8)
