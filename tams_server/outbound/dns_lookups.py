"""DNS lookups with a timeout: each runs in a daemon thread, so that a silent name server blocks nobody."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from storage.waiting import about_to_wait_for_others

Resolver = Callable[[str], Sequence[str]]
"""Maps a name to its addresses, as text. Raises OSError if there are none. May block."""

MAX_LOOKUPS = 128  # at once, since lookups that get no response must not exhaust the threads of the process


class DnsLookupFailed(Exception):
    """The name has no address at present, or its lookup timed out. The message is a sentence without a full stop."""


def system_resolver(name: str) -> list[str]:
    """Look up a name with the resolver of the system. Returns addresses in its order of preference."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class DnsLookups:
    """Runs a resolver in threads. Concurrent lookups of the same name share one thread."""

    def __init__(self, resolver: Resolver = system_resolver, max_lookups: int = MAX_LOOKUPS) -> None:
        self._resolver = resolver
        self._max_lookups = max_lookups
        self._running: dict[str, Future[list[str]]] = {}
        self._lock = threading.Lock()

    def addresses(self, name: str, timeout_s: float) -> list[str]:
        """Return the addresses of `name`, at least one. Raises DnsLookupFailed."""
        about_to_wait_for_others("lookup")
        try:
            return self._join_or_start(name).result(timeout_s)
        except FutureTimeoutError:
            raise _timed_out(timeout_s) from None

    async def addresses_async(self, name: str, timeout_s: float) -> list[str]:
        """Like `addresses`, for coroutines."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._join_or_start(name)), timeout_s)
        except TimeoutError:
            raise _timed_out(timeout_s) from None

    def _join_or_start(self, name: str) -> Future[list[str]]:
        with self._lock:
            running = self._running.get(name)
            if running is not None:
                return running
            if len(self._running) >= self._max_lookups:
                raise DnsLookupFailed("too many names are being looked up at the moment")
            future: Future[list[str]] = Future()
            future.set_running_or_notify_cancel()  # a caller that stops waiting cannot cancel it for the others
            threading.Thread(target=self._look_up, args=(name, future), name="lookup", daemon=True).start()
            self._running[name] = future
            return future

    def _look_up(self, name: str, future: Future[list[str]]) -> None:
        found: list[str] = []
        try:
            found = list(self._resolver(name))
        except (OSError, UnicodeError):
            pass  # reported below
        finally:
            with self._lock:
                del self._running[name]
            if found:
                future.set_result(found)
            else:
                future.set_exception(DnsLookupFailed("the name has no address"))


def _timed_out(timeout_s: float) -> DnsLookupFailed:
    return DnsLookupFailed(f"the name was not found within {timeout_s:.3g} seconds")
