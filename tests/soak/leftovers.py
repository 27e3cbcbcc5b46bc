"""What is left once everything has been deleted: nothing may grow that no client can see."""

import time
from dataclasses import dataclass

from storage.tables.schema import TABLES
from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.soak.contents import IN_USE, count_rows, stored_names
from tests.soak.findings import Findings

_TIMEOUT_S = 120
"""How long nothing may have been removed. A slow store takes longer to remove everything."""
_INTERVAL_S = 0.5
_AGE_S = 3600.0
"""Time after which every object that no segment uses has expired, and every URL to upload it."""
_KEPT = ("service", "credentials", "profiles", "deletion_requests", "usage", "principals", "violations")
"""Tables whose rows do not go with a flow, a source or a webhook."""
_IN_THE_END = tuple(name for name in TABLES if name not in _KEPT)
_AT_ONCE = (*(name for name in _IN_THE_END if name not in ("objects", "instances")), IN_USE)
"""Tables whose rows go at once; objects that may still be uploaded to go when they expire."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """rows: by table. stored: files and objects in the storage backends."""

    rows: dict[str, int]
    stored: int

    @property
    def total(self) -> int:
        return sum(self.rows.values()) + self.stored

    def __str__(self) -> str:
        rows = [f"{count} rows in {name}" for name, count in self.rows.items() if count]
        return ", ".join([*rows, *([f"{self.stored} stored objects"] if self.stored else [])]) or "nothing"


def wait_until_empty(server: ServerProcess, clock: ServerClock, findings: Findings) -> Leftovers:
    """Wait until the running server has removed everything, at once and then after an hour on its clock.

    Returns what was left before that hour had passed.
    """
    _wait(server, findings, "after everything was deleted", _AT_ONCE, stored=False)
    left = _read(server, _IN_THE_END, stored=True)
    clock.let_pass(_AGE_S)
    _wait(server, findings, "an hour after everything was deleted", _IN_THE_END, stored=True)
    return left


def _wait(server: ServerProcess, findings: Findings, when: str, tables: tuple[str, ...], *, stored: bool) -> None:
    least, changed_at = None, time.monotonic()
    while str(left := _read(server, tables, stored=stored)) != "nothing":
        read_at = time.monotonic()
        if least is None or left.total < least:
            least, changed_at = left.total, read_at
        if read_at > changed_at + _TIMEOUT_S:
            findings.wrong.append(f"left behind {when}: {left}")
            return
        time.sleep(_INTERVAL_S)


def _read(server: ServerProcess, tables: tuple[str, ...], *, stored: bool) -> Leftovers:
    return Leftovers(count_rows(server, tables), len(stored_names(server)) if stored else 0)
