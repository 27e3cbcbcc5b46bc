"""A real Trino for tests, from Maven Central: `python -m tests.servers.trino` fetches it, tests start it.

Only what the PostgreSQL connector needs is kept of the server: 100 MB of 800. It needs Java 24 or later.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.servers.child_process import killed_with_parent

VERSION = "476"
"""The newest whose server Maven Central has."""
_MIN_JAVA = 24
_PARTS = ("lib/", "plugin/postgresql/", "plugin/geospatial/")
"""The server does not start without the types that the plugin for geometry brings."""
_START_S = 120.0
_LOOPBACK = "127.0.0.1"
_JVM = ("-Xmx1G", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djdk.attach.allowAttachSelf=true")
_MODULES = ("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED")


def folder() -> Path:
    """Where the server is kept between runs of the tests, and found by fresh checkouts."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "tams-tests", f"trino-{VERSION}")


def missing() -> str | None:
    """Return what is missing to start Trino, in words; None if it can be started."""
    if not (folder() / "complete").exists():
        return f"Trino {VERSION} has not been fetched; `make trino` fetches it"
    return None if find_java() else f"Trino {VERSION} needs Java {_MIN_JAVA} or later, which was not found"


def find_java() -> Path | None:
    """Return a Java that is new enough: that of JAVA_HOME, or one that the system has."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    return next((home / "bin" / "java" for home in homes if _java_version(home) >= _MIN_JAVA), None)


def _java_version(home: Path) -> int:
    try:
        lines = (home / "release").read_text().splitlines()
    except OSError:
        return 0
    version = next((line.partition('"')[2] for line in lines if line.startswith("JAVA_VERSION=")), "")
    return int(version.partition(".")[0].strip('"') or 0) if (home / "bin" / "java").exists() else 0


def fetch() -> None:
    """Fetch the server with Maven, unless it has been fetched. Raises subprocess.CalledProcessError."""
    if (folder() / "complete").exists():
        return
    shutil.rmtree(folder(), ignore_errors=True)
    folder().mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=folder()) as download:
        artifact = f"io.trino:trino-server:{VERSION}:tar.gz"
        command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={download}"]
        subprocess.run(command, check=True, cwd=download)
        _extract(Path(download, f"trino-server-{VERSION}.tar.gz"), folder())
    (folder() / "complete").touch()


def _extract(archive: Path, to: Path) -> None:
    """Extract the parts that are needed. Most files are links to equal ones, of other parts too."""
    with tarfile.open(archive) as tar:
        links = {_name(each): _name(each, each.linkname) for each in tar if each.islnk() and _is_needed(_name(each))}
    sources = set(links.values())
    with tarfile.open(archive, "r|gz") as tar:
        for each in tar:
            name = _name(each)
            if each.isreg() and (_is_needed(name) or name in sources):
                content = tar.extractfile(each)
                assert content is not None
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                (to / name).write_bytes(content.read())
    for name, source in links.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(to / source, to / name)
    for plugin in (to / "plugin").iterdir():
        if not _is_needed(f"plugin/{plugin.name}/"):
            shutil.rmtree(plugin)


def _name(member: tarfile.TarInfo, path: str | None = None) -> str:
    """The name of a file within the server's folder."""
    return (path or member.name).partition("/")[2]


def _is_needed(name: str) -> bool:
    return name.startswith(_PARTS)


class TrinoServer:
    """One server without authentication, on a free port. It is killed at the latest when its thread ends.

    catalogs: the properties of each catalogue, by its name.
    """

    def __init__(self, run: Path, catalogs: Mapping[str, Mapping[str, str]]) -> None:
        self._run = run
        self._catalogs = catalogs
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def url(self, catalog: str, schema: str) -> str:
        """The URL of a schema, for TAMS_ANALYTICS_TRINO_URL and for SQLAlchemy."""
        return f"trino://tests@{_LOOPBACK}:{self.port}/{catalog}/{schema}"

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind((_LOOPBACK, 0))
            self.port = probe.getsockname()[1]
        self._write_configuration()
        java = find_java()
        assert java is not None
        properties = {
            "node.environment": "test",
            "node.id": "test",
            "node.data-dir": str(self._run / "data"),
            "node.internal-address": _LOOPBACK,
            "node.bind-ip": _LOOPBACK,
            "plugin.dir": str(folder() / "plugin"),
            "config": "etc/config.properties",
        }
        options = [f"-D{name}={value}" for name, value in properties.items()]
        command = [str(java), *_JVM, *_MODULES, *options, "-cp", f"{folder() / 'lib'}/*", "io.trino.server.TrinoServer"]
        with (self._run / "log").open("wb") as log:
            self._process = subprocess.Popen(
                killed_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._run,
                start_new_session=True,
            )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _write_configuration(self) -> None:
        (self._run / "etc" / "catalog").mkdir(parents=True)
        settings = {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(self.port),
            "discovery.uri": f"http://{_LOOPBACK}:{self.port}",
            "query.max-memory": "300MB",
            "query.max-memory-per-node": "300MB",
            "memory.heap-headroom-per-node": "200MB",
        }
        files = {"config": settings, **{f"catalog/{name}": each for name, each in self._catalogs.items()}}
        for name, properties in files.items():
            text = "".join(f"{key}={value}\n" for key, value in properties.items())
            (self._run / "etc" / f"{name}.properties").write_text(text)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{_LOOPBACK}:{self.port}/v1/info", timeout=5) as response:
                    if not json.load(response)["starting"]:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.2)
        self._process.kill()
        raise RuntimeError(f"Trino did not start:\n{self._errors()}")

    def _errors(self) -> str:
        lines = (self._run / "log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "ERROR" in line or line.startswith("Caused by"))[-4000:]


def postgresql_catalog(host: str, port: int, database: str, user: str, password: str) -> Iterator[tuple[str, str]]:
    """The properties of a catalogue over a PostgreSQL database."""
    yield "connector.name", "postgresql"
    yield "connection-url", f"jdbc:postgresql://{host}:{port}/{database}"
    yield "connection-user", user
    yield "connection-password", password


if __name__ == "__main__":
    fetch()
    print(missing() or f"Trino {VERSION} is in {folder()}")
    sys.exit(missing() is not None)
