"""Addresses of names: lookups that end in time, each in a thread that nobody has to wait for."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

Resolver = Callable[[str], Sequence[str]]
"""From a name to its addresses as text; raises OSError where there are none. May block."""

MOST_LOOKUPS = 128  # at the same time; names whose servers stay silent must not use up the threads of the process


class Unresolved(Exception):
    """The name has no address now, or was not answered for in time. Its text is a sentence without a full stop."""


def system_resolver(name: str) -> list[str]:
    """Addresses by the system's resolver, in its order of preference."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Lookups:
    """Runs a resolver in threads. The same name is looked up once at a time, however many ask."""

    def __init__(self, resolver: Resolver = system_resolver, most: int = MOST_LOOKUPS) -> None:
        self._resolver = resolver
        self._most = most
        self._running: dict[str, Future[list[str]]] = {}
        self._lock = threading.Lock()

    def addresses(self, name: str, timeout_s: float) -> list[str]:
        """The addresses of `name`, at least one. Raises Unresolved."""
        try:
            return self._started(name).result(timeout_s)
        except FutureTimeoutError:
            raise _late(timeout_s) from None

    async def addresses_async(self, name: str, timeout_s: float) -> list[str]:
        """As `addresses`, for coroutines."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._started(name)), timeout_s)
        except TimeoutError:
            raise _late(timeout_s) from None

    def _started(self, name: str) -> Future[list[str]]:
        with self._lock:
            running = self._running.get(name)
            if running is not None:
                return running
            if len(self._running) >= self._most:
                raise Unresolved("too many names are being looked up at the moment")
            future: Future[list[str]] = Future()
            future.set_running_or_notify_cancel()  # so that nobody who stops waiting ends it for the others
            threading.Thread(target=self._look_up, args=(name, future), name="lookup", daemon=True).start()
            self._running[name] = future
            return future

    def _look_up(self, name: str, future: Future[list[str]]) -> None:
        found: list[str] = []
        try:
            found = list(self._resolver(name))
        except (OSError, UnicodeError):
            pass  # told below: no address
        finally:
            with self._lock:
                del self._running[name]
            if found:
                future.set_result(found)
            else:
                future.set_exception(Unresolved("the name has no address"))


def _late(timeout_s: float) -> Unresolved:
    return Unresolved(f"the name was not found within {timeout_s:.3g} seconds")
