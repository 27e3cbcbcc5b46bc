"""The server: gunicorn with uvicorn workers, plus one background worker.

The master loads the application before it forks, so that workers start quickly and share its memory.

Undocumented members of gunicorn and uvicorn are used in this module and in connection.py only, and checked by
tests/unit/processes/test_gunicorn_contract.py.
"""

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from uvicorn_worker import UvicornWorker

from storage.catalog.service import Identity
from tams_server.app import Application, create_app
from tams_server.cores import default_processes
from tams_server.metrics.counters import forget_process
from tams_server.metrics.shared_counters import begin_counting
from tams_server.processes.allocator import return_freed_memory
from tams_server.processes.certificate import ServerCertificate
from tams_server.processes.connection import Connection, connection_class
from tams_server.processes.connection_guard import ConnectionLimits, max_connections
from tams_server.processes.worker import run_worker
from tams_server.settings import Settings

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
GRACE_S = 30
"""Time that requests in progress have to finish when the server stops."""
WATCHDOG_S = 120
"""Time after which gunicorn kills a worker whose event loop is blocked."""
KEEPALIVE_S = 75
"""Time for which an idle connection is kept open."""
_RESTART_INTERVAL_S = 1.0
"""Minimum time between two starts of the background worker."""
_INHERITED_SOCKETS = ("LISTEN_PID", "LISTEN_FDS", "GUNICORN_PID", "GUNICORN_FD")
"""Variables by which gunicorn takes over sockets of systemd, or of the server that it replaces."""
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def serve(
    settings: Settings, identity: Identity, bound: socket.socket, certificate: ServerCertificate | None = None
) -> None:
    """Serve until a signal stops the server, then exit the process.

    identity: of the prepared data (tams_server.wiring.prepare). With it, processes can be replaced even while the
    database is unavailable. bound: the socket to listen on, which this closes. certificate: for TLS; None: no TLS.
    """
    return_freed_memory()
    # What is loaded here stays: it is never collected, neither in this process nor in those forked from it.
    gc.disable()
    app = create_app(settings, identity=identity)
    gc.freeze()
    gc.enable()
    _Gunicorn(settings, identity, app, bound.detach(), certificate).run()


class _Gunicorn(BaseApplication):
    """The gunicorn application, configured by our settings only."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        app: Application,
        descriptor: int,
        certificate: ServerCertificate | None,
    ) -> None:
        self.settings = settings
        self.certificate = certificate
        self.identity = identity
        self.descriptor = descriptor
        self.app_served = app
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        options = {
            "bind": f"fd://{self.descriptor}",
            "workers": settings.workers or default_processes(),
            "worker_class": _worker_class(settings, self.certificate),
            "preload_app": True,
            "logger_class": _Logger,
            "loglevel": settings.log_level.lower(),
            "graceful_timeout": GRACE_S,
            "timeout": WATCHDOG_S,
            "keepalive": KEEPALIVE_S,
            "control_socket_disable": True,
            "child_exit": lambda _arbiter, worker: forget_process(worker.pid),
            "post_fork": lambda _arbiter, _worker: _begin_process(),
            "when_ready": _log_addresses,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self.app_served

    def run(self) -> None:
        # Listen on nothing but the socket that was checked (exposure.py). SIGUSR2 cannot replace a server anyway: the
        # second one finds the address in use.
        for name in _INHERITED_SOCKETS:
            os.environ.pop(name, None)
        _Arbiter(self).run()


class _Worker(UvicornWorker):
    CONFIG_KWARGS = {  # noqa: RUF012 - as its parent declares it
        "loop": "uvloop",
        "http": Connection,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        # Report to the master every second. uvicorn measures longer intervals by the wall clock: if that is set back by
        # minutes, it would report nothing for as long, and the master would kill the process.
        "timeout_notify": float("-inf"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.propagate = True
        uvicorn_log.setLevel(logging.WARNING)

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _worker_class(settings: Settings, certificate: ServerCertificate | None) -> type[_Worker]:
    """Return the class of the serving processes. gunicorn creates them without arguments of ours."""
    limits = ConnectionLimits(
        max_connections=max_connections(settings.max_connections),
        max_per_address=settings.max_connections_per_address,
        min_rate=settings.min_rate,
        window_s=settings.min_rate_window,
    )
    options: dict[str, Any] = {
        **_Worker.CONFIG_KWARGS,
        "http": connection_class(settings.request_head_timeout, limits),
    }
    if certificate is not None:
        options["ssl_context_factory"] = lambda _config, _default: certificate.context
    return type("_Worker", (_Worker,), {"CONFIG_KWARGS": options})


class _Logger(Logger):
    """Passes log records to the root logger, so that all lines have the same format."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        self.error_log.setLevel(max(self.error_log.level, logging.WARNING))


class _Arbiter(Arbiter):
    """The gunicorn master, which also keeps one background worker running."""

    def __init__(self, app: _Gunicorn) -> None:
        self._settings = app.settings
        self._identity = app.identity
        self._certificate = app.certificate
        self._specification = app.app_served.specification
        self._metrics = app.app_served.metrics
        self._background = 0
        self._started_at = 0.0
        super().__init__(app)

    def spawn_worker(self) -> Any:
        with _stop_signals_blocked():
            return super().spawn_worker()

    def manage_workers(self) -> None:
        super().manage_workers()
        if not _is_running(self._background) and time.monotonic() - self._started_at >= _RESTART_INTERVAL_S:
            if self._background:
                _log.error("background worker %d ended unexpectedly; starting another", self._background)
            self._started_at = time.monotonic()
            self._background = self._spawn_background()

    def reload(self) -> None:
        """Replace the serving processes (SIGHUP). The new ones use the certificate that is in the files now."""
        if self._certificate is not None:
            self._certificate.reload()
        super().reload()

    def stop(self, graceful: bool = True) -> None:
        background, self._background = self._background, 0
        if _is_running(background):
            os.kill(background, signal.SIGTERM)
        super().stop()  # always graceful: otherwise gunicorn sends SIGQUIT, which does not stop a uvicorn worker
        deadline = time.monotonic() + GRACE_S
        while _is_running(background) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _spawn_background(self) -> int:
        with _stop_signals_blocked():
            pid = os.fork()
            if not pid:
                self._run_background()
        return pid

    def _run_background(self) -> NoReturn:
        status = 1
        try:
            for listener in self.LISTENERS:
                listener.sock.close()
            _reset_signals(self.SIGNALS)
            _begin_process()
            run_worker(
                self._settings,
                self._specification,
                identity=self._identity,
                metrics=self._metrics,
                metrics_at=self._settings.metrics_address,
            )
            status = 0
        except Exception:
            _log.exception("background worker failed")
        finally:
            sys.stderr.flush()
            os._exit(status)


@contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Block stop signals around a fork, until the child has installed handlers and unblocks them.

    Until then it has the handlers of the master, which would swallow the signal.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _reset_signals(handled: list[int]) -> None:
    """Restore the default handlers of signals that the master handles."""
    for number in (*handled, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _log_addresses(arbiter: Arbiter) -> None:
    addresses = ", ".join(map(str, arbiter.LISTENERS))
    if arbiter.app.certificate is not None:
        addresses = addresses.replace("http://", "https://")
    _log.info("serving at %s with %d workers", addresses, arbiter.num_workers)


def _is_running(pid: int) -> bool:
    """Return whether a child is running; reap it if it has ended. pid: 0 if there is none."""
    if not pid:
        return False
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def _begin_process() -> None:
    """Prepare a process that has been forked. Linux stops it when its parent ends for whatever reason."""
    begin_counting()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
