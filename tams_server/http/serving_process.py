"""The resources of one serving process: the catalogue, the stores, the authenticator and the handler threads.

Apart from the application, which is built before gunicorn forks: connections and threads must not cross a fork.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tams_server.http.authentication import Authenticator
from tams_server.settings import Settings
from tams_server.wiring import Parts

P = ParamSpec("P")
R = TypeVar("R")


class ServingProcess:
    """Opens its parts at `start`, or on first use."""

    def __init__(self, settings: Settings, open_parts: Callable[[], Parts]) -> None:
        self.settings = settings
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._opening = threading.Lock()

    @property
    def parts(self) -> Parts:
        if self._parts is None:
            self.start()
        assert self._parts is not None
        return self._parts

    @functools.cached_property
    def authenticator(self) -> Authenticator:
        return Authenticator(self.parts.catalog.credentials)

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.settings.threads, thread_name_prefix="handler")

    def start(self) -> None:
        """Open the catalogue and the stores. Raises what opening them raises (tams_server.wiring.open_parts)."""
        with self._opening:
            if self._parts is None:
                self._parts = self._open_parts()

    def stop(self) -> None:
        """Wait for running handlers to finish, then close the catalogue."""
        self._threads.shutdown()
        if self._parts is not None:
            self._parts.close()

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that may block in a handler thread, with the context variables of the request."""
        context = contextvars.copy_context()
        call = functools.partial(context.run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
