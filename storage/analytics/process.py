"""Runs queries in a process of its own, so that neither their memory nor their time is that of the server.

The process starts with the first query and ends when it has been idle. One query runs at a time; a few may wait.
"""

import importlib.util
import json
import logging
import subprocess  # nosec B404 - runs this Python only
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

from storage import error_codes
from storage.analytics.child import read_frame, write_frame
from storage.analytics.limits import Limits
from storage.analytics.request import Place, Query, dump_query
from storage.errors import Invalid, NotInstalled, TooExpensive, Unavailable

_log = logging.getLogger(__name__)
_PACKAGES = ("duckdb", "sqlglot", "adbc_driver_sqlite", "adbc_driver_postgresql", "trino")
_GRACE_S = 5.0
"""How much longer than its limit a query may take until its process is killed; more while the process starts."""
_START_S = 20.0
_WAITING_MAX = 4
_MISSING = "this server lacks the packages for analytics: install tams-server[analytics]"


@dataclass(frozen=True, slots=True)
class Answer:
    """body: the encoded result. rows: how many there are; truncated: whether there would be more."""

    body: bytes
    rows: int
    truncated: bool


class QueryRunner(Protocol):
    def run(self, query: Query) -> Answer:
        """Return the answer to a query.

        Raises: storage.errors.Invalid for SQL that is rejected; TooExpensive; NotInstalled; Unavailable, also if too
            many queries wait.
        """

    def close(self) -> None: ...


class NoQueries:
    """Where analytics is off."""

    def run(self, query: Query) -> Answer:
        raise NotInstalled("analytics is switched off on this server (TAMS_ANALYTICS)")

    def close(self) -> None:
        pass


class QueryProcess:
    """A process that runs queries. Safe for threads; not shared across fork, as it starts with the first query.

    idle_s: how long it is kept without a query.
    """

    def __init__(self, place: Place, limits: Limits, idle_s: float = 60.0) -> None:
        self._place = place
        self._limits = limits
        self._idle_s = idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(_WAITING_MAX)
        self._last_use = 0.0
        self._reaper: threading.Timer | None = None

    def run(self, query: Query) -> Answer:
        """As QueryRunner."""
        if not all(importlib.util.find_spec(name) for name in _PACKAGES):
            raise NotInstalled(_MISSING)
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many queries of analytics are waiting; try again later")
        try:
            if not self._turn.acquire(timeout=self._limits.timeout_s):
                raise Unavailable("other queries of analytics take long; try again later")
            try:
                return self._run(query)
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def hold(self, file_id: tuple[int, int] | None) -> None:
        """Use no other SQLite file than this one from the next start on."""
        self._place = replace(self._place, file_id=file_id)

    def close(self) -> None:
        """End the process. A running query fails."""
        if self._reaper is not None:
            self._reaper.cancel()
        self._end()

    def _run(self, query: Query) -> Answer:
        process, patience = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(self._limits.timeout_s + patience, process.kill)
        killer.daemon = True
        killer.start()
        try:
            write_frame(_plain(process.stdin), dump_query(query))
            head, body = read_frame(_plain(process.stdout)), read_frame(_plain(process.stdout))
        except OSError:
            head = body = None
        finally:
            killer.cancel()
        self._last_use = time.monotonic()
        if head is None or body is None:
            self._end()
            raise TooExpensive("the query needs more time or memory than it may have")
        self._end_when_idle()
        return _read_answer(json.loads(head), body)

    def _started(self) -> tuple[subprocess.Popen[bytes], float]:
        """The process, and how many seconds more than its limit a query may take in it."""
        process = self._process
        if process is not None and process.poll() is None:
            return process, _GRACE_S
        self._end()
        process = subprocess.Popen(  # nosec B603 - a fixed command
            [sys.executable, "-m", "storage.analytics.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            start_new_session=True,  # storage.precedence says why.
        )
        assert process.stdin is not None
        self._process = process
        setup = {"place": asdict(self._place), "limits": asdict(self._limits)}
        write_frame(_plain(process.stdin), json.dumps(setup).encode())
        return process, _START_S

    def _end_when_idle(self) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
        self._reaper = threading.Timer(self._idle_s, self._end_if_idle)
        self._reaper.daemon = True
        self._reaper.start()

    def _end_if_idle(self) -> None:
        if self._turn.acquire(blocking=False):
            try:
                if time.monotonic() - self._last_use >= self._idle_s:
                    self._end()
            finally:
                self._turn.release()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                _log.debug("analytics: the process had ended already")
        process.kill()
        process.wait()


def _plain(stream: IO[bytes]) -> Any:
    """A stream of a process, as the functions for frames take it."""
    return stream


def _read_answer(head: dict[str, Any], body: bytes) -> Answer:
    """The answer with this head. Raises the error that it tells."""
    kind, message = head.get("error"), head.get("message", "")
    if kind is None:
        return Answer(body, head["rows"], head["truncated"])
    if kind == "invalid":
        raise Invalid(message, code=error_codes.ANALYTICS_SQL, field=head.get("field"), behaviour="A90")
    if kind == "too-expensive":
        raise TooExpensive(message)
    if kind == "not-installed":
        raise NotInstalled(f"{_MISSING} ({message})")
    if kind == "unavailable":
        raise Unavailable(message)
    raise RuntimeError(f"the query failed: {message}")
