"""What cannot be asked of TO, kept in a small SQLite file: upload URLs in use, and flows that a run has locked.

A server gives the upload URL of an object once, and does not show that the object is allocated. So a run that was
killed between allocation and registration needs the URL to go on. Everything else is read from TO. Without the file, an
object that was in flight waits until TO forgets its allocation (`min_object_timeout`); nothing else is lost.
"""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import cast

from tams_server.client.documents import Slot

_SCHEMA = """
CREATE TABLE IF NOT EXISTS slots (
    target TEXT, object_id TEXT, slot TEXT NOT NULL, saved REAL NOT NULL, PRIMARY KEY (target, object_id)
);
CREATE TABLE IF NOT EXISTS locked (
    target TEXT, flow_id TEXT, version TEXT NOT NULL, PRIMARY KEY (target, flow_id)
);
"""
_BUSY_S = 30
"""Runs that share a file wait for each other so long, in seconds."""


def default_path() -> Path:
    """The file in the folder of the user for state (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "tams" / "replicate.sqlite"


class State:
    """The file at `path`, which any number of runs may share. target: the URL of TO. Close it in the end.

    Raises OSError if it cannot be opened. URLs in it permit uploads, so only its owner can read it.
    """

    def __init__(self, path: Path, target: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._target = target
        try:
            self._database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            # A process that is killed loses nothing so; if the machine fails, the last rows may be lost.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be used as the state file: {error}") from error

    def close(self) -> None:
        self._database.close()

    def save_slot(self, object_id: str, slot: Slot) -> None:
        """Remember the upload URL of an object."""
        row = self._target, object_id, json.dumps(slot), time.time()
        self._database.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?)", row)

    def slot(self, object_id: str, valid_s: float) -> Slot | None:
        """The upload URL that was given for an object less than `valid_s` seconds ago."""
        row = self._database.execute(
            "SELECT slot FROM slots WHERE target = ? AND object_id = ? AND saved > ?",
            (self._target, object_id, time.time() - valid_s),
        ).fetchone()
        return cast(Slot, json.loads(row[0])) if row else None

    def forget_slot(self, object_id: str) -> None:
        """The object is registered, or its URL is of no use."""
        self._database.execute("DELETE FROM slots WHERE target = ? AND object_id = ?", (self._target, object_id))

    def forget_old_slots(self, valid_s: float) -> None:
        """Remove the URLs of objects that TO has forgotten by now."""
        self._database.execute(
            "DELETE FROM slots WHERE target = ? AND saved < ?", (self._target, time.time() - valid_s)
        )

    def save_lock(self, flow_id: str, version: str) -> None:
        """Remember that a run made a flow read-only, and the metadata_version that it then had."""
        self._database.execute("INSERT OR REPLACE INTO locked VALUES (?, ?, ?)", (self._target, flow_id, version))

    def lock(self, flow_id: str) -> str | None:
        """The metadata_version of a flow when a run made it read-only."""
        row = self._database.execute(
            "SELECT version FROM locked WHERE target = ? AND flow_id = ?", (self._target, flow_id)
        ).fetchone()
        return str(row[0]) if row else None
