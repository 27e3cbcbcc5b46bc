"""Runs the server: gunicorn with uvicorn workers, and one background worker beside them.

Everything that can be is loaded in the master before it forks, so that workers start at once and share that memory.
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

from tams_server.app import Application, create_app
from tams_server.metrics.counters import process_ended
from tams_server.processes.worker import run_worker
from tams_server.settings import Settings
from tams_server.wiring import Identity, open_parts

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
GRACE_S = 30
WATCHDOG_S = 120
KEEPALIVE_S = 75
_LAST_REQUEST_S = 1.0
"""How long a connection that is kept alive stays open for a request that may be on its way when the server stops."""
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def serve(settings: Settings, identity: Identity) -> None:
    """Serve until told to stop; ends the process. identity: of the prepared data (tams_server.wiring.prepare), so that
    processes can take the place of others while the database is away."""
    _Gunicorn(settings, identity, create_app(settings, parts=partial(open_parts, settings, identity))).run()


class _Gunicorn(BaseApplication):
    """gunicorn, configured by our settings alone."""

    def __init__(self, settings: Settings, identity: Identity, app: Application) -> None:
        self.settings = settings
        self.identity = identity
        self.app_served = app
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": _Worker,
            "preload_app": True,
            "logger_class": _Logger,
            "loglevel": settings.log_level.lower(),
            "graceful_timeout": GRACE_S,
            "timeout": WATCHDOG_S,
            "keepalive": KEEPALIVE_S,
            "control_socket_disable": True,
            "child_exit": lambda _arbiter, worker: process_ended(worker.pid),
            "post_fork": lambda _arbiter, _worker: _die_with_parent(),
            "when_ready": _tell,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self.app_served

    def run(self) -> None:
        _Arbiter(self).run()


class _Connection(HttpToolsProtocol):
    """One that does not close on a request that is coming in, of which a proxy could not tell what became of it."""

    _stopping = False

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Response what is under way, or one more request; then close, and say so in the answer."""
        if self.cycle is None or self.cycle.response_complete:
            self._stopping = True
            self.loop.call_later(_LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()


class _Worker(UvicornWorker):
    CONFIG_KWARGS = {  # noqa: RUF012 - as its parent declares it
        "loop": "uvloop",
        "http": _Connection,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.propagate = True
        uvicorn_log.setLevel(logging.WARNING)

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


class _Logger(Logger):
    """Leaves the writing to the handlers of the root logger, so that all lines look alike."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        self.error_log.setLevel(max(self.error_log.level, logging.WARNING))


class _Arbiter(Arbiter):
    """gunicorn's master, which also keeps one background worker alive."""

    def __init__(self, app: _Gunicorn) -> None:
        self._settings = app.settings
        self._identity = app.identity
        self._specification = app.app_served.specification
        self._metrics = app.app_served.metrics
        self._background = 0
        self._started_at = 0.0
        super().__init__(app)

    def spawn_worker(self) -> Any:
        with _signals_held():
            return super().spawn_worker()

    def manage_workers(self) -> None:
        super().manage_workers()
        if not _alive(self._background) and time.monotonic() - self._started_at >= 1:
            if self._background:
                _log.error("the background worker (%d) has died; starting another", self._background)
            self._started_at = time.monotonic()
            self._background = self._spawn_background()

    def stop(self, graceful: bool = True) -> None:
        background, self._background = self._background, 0
        if _alive(background):
            os.kill(background, signal.SIGTERM)
        super().stop()  # always gracefully: a uvicorn worker does not end at SIGQUIT, which gunicorn would send else
        deadline = time.monotonic() + GRACE_S
        while _alive(background) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _spawn_background(self) -> int:
        with _signals_held():
            pid = os.fork()
            if not pid:
                self._be_background()
        return pid

    def _be_background(self) -> NoReturn:
        status = 1
        try:
            for listener in self.LISTENERS:
                listener.sock.close()
            _be_child_of_gunicorn(self.SIGNALS)
            run_worker(self._settings, self._specification, identity=self._identity, metrics=self._metrics)
            status = 0
        except Exception:
            _log.exception("the background worker failed")
        finally:
            sys.stderr.flush()
            os._exit(status)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Around a fork: a signal that comes before the child has its own handlers would only reach gunicorn's, which it
    inherits and which lead nowhere there. The child lets signals in itself."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _be_child_of_gunicorn(inherited: list[int]) -> None:
    """Take back the handlers of signals that were inherited, and end with the parent."""
    for number in (*inherited, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    _die_with_parent()


def _tell(arbiter: Arbiter) -> None:
    addresses = ", ".join(map(str, arbiter.LISTENERS))
    _log.info("serving at %s with %d workers", addresses, arbiter.num_workers)


def _alive(pid: int) -> bool:
    """Whether a child is there; one that has ended is taken from the process table."""
    if not pid:
        return False
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def _die_with_parent() -> None:
    """Have Linux end this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
