"""The stores of the project's own server under test: a catalogue and media of each supported kind.

`running` starts the servers that a kind needs, once for a whole test run, and yields plain values that can be passed to
other processes. Each server under test gets its own database, schema or prefix there.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

CATALOGUES = ("sqlite", "postgresql", "vast-statement", "vast-commit")
"""An emulated VAST Database reports conflicts at the statement or at the commit; which a real one does is unknown."""
MEDIA = ("files", "s3")
"""files: one folder of the server. s3: a bucket as the default storage backend, with tags, and a folder as another."""

_VAST_IDLE_S = 5
"""So that a test that kills servers does not wait long for the locks that they held."""
_CORS: list[Mapping[str, Any]] = [
    {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Content-Range", "Content-Length"],
    }
]


@dataclass(frozen=True, slots=True)
class Stores:
    """What is running; values of stores that are not are empty.

    postgres: URL of a database from which others can be created. vast: URL of a bucket, for schemas.
    endpoint, bucket, access_key, secret_key: of an S3 store.
    """

    postgres: str = ""
    vast: str = ""
    endpoint: str = ""
    bucket: str = ""
    access_key: str = ""
    secret_key: str = ""

    def settings(self, folder: Path) -> dict[str, str]:
        """TAMS_* and other variables for one server with data of its own. folder: exists for this server alone."""
        return self._catalogue() | self._media(folder)

    def _catalogue(self) -> dict[str, str]:
        name = f"kit_{uuid.uuid4().hex}"
        if self.postgres:
            return {"TAMS_DATABASE_URL": _new_database(self.postgres, name)}
        return {"TAMS_DATABASE_URL": f"{self.vast}/{name}"} if self.vast else {}

    def _media(self, folder: Path) -> dict[str, str]:
        if not self.endpoint:
            return {}
        second = folder / "second-backend"
        second.mkdir(parents=True)
        cloud = {
            "id": str(uuid.uuid4()),
            "label": "cloud",
            "kind": "s3",
            "default": True,
            "provider": "SeaweedFS",
            "store_product": "S3",
            "region": "us-east-1",
            "tags": {"tier": "hot", "sites": ["London", "Salford"]},
            "endpoint": self.endpoint,
            "bucket": self.bucket,
            "prefix": f"{uuid.uuid4()}/",
            "credentials": {"access_key_env": "MEDIA_ACCESS_KEY", "secret_key_env": "MEDIA_SECRET_KEY"},
        }
        disc = {"id": str(uuid.uuid4()), "label": "disc", "kind": "files", "folder": str(second)}
        file = folder / "backends.yaml"
        file.write_text(yaml.safe_dump({"backends": [cloud, disc]}))
        keys = {"MEDIA_ACCESS_KEY": self.access_key, "MEDIA_SECRET_KEY": self.secret_key}
        return {"TAMS_STORAGE_BACKENDS": str(file), **keys}


@contextmanager
def running(catalogue: str, media: str) -> Iterator[Stores]:
    """Run the servers for one of CATALOGUES and one of MEDIA until the block or this process ends.

    Raises LookupError for other names.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tams-stores-")))
        found: dict[str, str] = {}
        if catalogue == "postgresql":
            found["postgres"] = _postgres(stack)
        elif catalogue in ("vast-statement", "vast-commit"):
            found["vast"] = _vast(stack, folder, catalogue.removeprefix("vast-"))
        elif catalogue != "sqlite":
            raise LookupError(f"no server is known for the catalogue {catalogue!r}")
        if media == "s3":
            found |= _s3(stack, folder)
        elif media != "files":
            raise LookupError(f"no server is known for the media {media!r}")
        yield Stores(**found)


# These import what they start, as most test runs start none of it from here.


def _postgres(stack: ExitStack) -> str:
    from tests.servers.postgres import PostgresServer

    server = PostgresServer.create()
    stack.callback(server.remove)
    return server.url()


def _vast(stack: ExitStack, folder: Path, conflicts: Any) -> str:
    from tests.servers.vast import VastServer

    return stack.enter_context(VastServer(folder / "vast", conflicts, idle_s=_VAST_IDLE_S)).url("").rstrip("/")


def _s3(stack: ExitStack, folder: Path) -> dict[str, str]:
    from tests.servers.seaweed import SeaweedServer

    server = stack.enter_context(SeaweedServer(folder / "seaweed"))
    keys = {"access_key": server.access_key, "secret_key": server.secret_key}
    return {"endpoint": server.endpoint, "bucket": server.new_bucket(cors=_CORS), **keys}


def _new_database(url: str, name: str) -> str:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, connect_timeout=10) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url.rpartition('/')[0]}/{name}"
