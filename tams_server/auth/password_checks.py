"""Passwords compared with their hashes, which takes long on purpose: in one thread of its own, with a bounded queue.

All processes of a server share the turns, and rest after a wrong password for as long as the comparison took, so that
wrong passwords take at most half of the cores of these turns.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from storage.catalog.passwords import hash_password, is_outdated, password_matches
from tams_server.auth.login_backoff import LoginBackOff, too_many_logins
from tams_server.auth.machine_turns import MachineTurns

_log = logging.getLogger(__name__)

QUEUE: Final = 16
"""Comparisons that are running or waiting in a process."""


class PasswordChecks:
    """Compares passwords. Threads start with the first comparison."""

    def __init__(self, turns: MachineTurns, backoff: LoginBackOff | None = None) -> None:
        self._turns = turns
        self._backoff = backoff or LoginBackOff()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")
        self._queued = 0
        self._lock = threading.Lock()

    def start(
        self,
        hashes: Sequence[str],
        password: str,
        user: str,
        address: str,
        replace: Callable[[str], None] | None = None,
    ) -> "Future[str | None]":
        """Return the future outcome of a comparison: the one of `hashes` that is of `password`, or None.

        address: of the client, or "". replace: takes a new hash of the password, in the thread, if the one that matched
        was made in an outdated way. Raises TooManyRequests, as the future may.
        """
        self._backoff.check(user, address)
        with self._lock:
            if self._queued >= QUEUE:
                raise too_many_logins(1, "too many passwords are being checked")
            self._queued += 1
        future: Future[str | None] = Future()
        self._thread.submit(self._run, future, hashes, password, user, address, replace)
        return future

    def _run(
        self,
        future: "Future[str | None]",
        hashes: Sequence[str],
        password: str,
        user: str,
        address: str,
        replace: Callable[[str], None] | None,
    ) -> None:
        try:
            if future.set_running_or_notify_cancel():
                with self._turns.turn():
                    self._backoff.check(user, address)  # others of the queue may have failed meanwhile
                    started = time.monotonic()
                    matching = next((each for each in hashes if password_matches(each, password)), None)
                    took_s = time.monotonic() - started
                    self._backoff.record(user, address, success=matching is not None)
                    future.set_result(matching)
                    if matching is None:
                        time.sleep(took_s)
                    elif replace is not None and is_outdated(matching):
                        _replace(replace, password)
        except Exception as error:
            future.set_exception(error)
        finally:
            with self._lock:
                self._queued -= 1


def _replace(replace: Callable[[str], None], password: str) -> None:
    try:
        replace(hash_password(password))
    except Exception as error:  # the login has succeeded; the next one tries again
        _log.warning("the hash of a password could not be replaced: %s", error)
