"""The object stores that the suite runs on."""

import uuid
from pathlib import Path
from typing import Any

from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, ObjectStore
from storage.media.s3 import S3Store
from storage.media.s3_client import Bucket
from storage.media.sigv4 import Credentials
from tests.servers.seaweed import SeaweedServer, shared_server

KINDS = ("files", "s3")
TYPE = "video/mp2t"
TIMEOUTS: dict[str, Any] = {"upload_timeout_s": 300, "download_timeout_s": 600}

_buckets: dict[SeaweedServer, str] = {}


class FixedCredentials:
    """A credential source that always returns the same credentials."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        self.credentials = Credentials(access_key, secret_key)

    def current(self) -> Credentials:
        return self.credentials


def new_store(kind: str, folder: Path) -> ObjectStore:
    """An empty store of one of KINDS, independent of all others."""
    if kind == "files":
        return FileStore(folder / uuid.uuid4().hex, new_backend("files"), b"0123456789abcdef", **TIMEOUTS)
    return s3_store(shared_server())


def s3_store(server: SeaweedServer, bucket: str | None = None, prefix: str | None = None, **options: Any) -> S3Store:
    """A store on this server, by default with its own prefix in a shared bucket."""
    if bucket is None:
        bucket = _buckets.get(server) or _buckets.setdefault(server, server.new_bucket())
    place = Bucket(bucket, server.endpoint, server.region, prefix=f"{uuid.uuid4()}/" if prefix is None else prefix)
    credentials = FixedCredentials(server.access_key, server.secret_key)
    return S3Store(new_backend("s3"), place, credentials, **(TIMEOUTS | options))


def new_backend(label: str) -> Backend:
    return Backend(str(uuid.uuid4()), label, "example", label)


def write(store: ObjectStore, object_id: str, data: bytes = b"bytes") -> bytes:
    store.write(object_id, TYPE, iter([data]))
    return data


def read(store: ObjectStore, object_id: str) -> bytes:
    with store.open(object_id) as file:
        return file.read()


def put_url(store: ObjectStore, object_id: str) -> str:
    return store.upload_requests([object_id], TYPE, presigned=True, base_url="ignored")[0].url


def get_url(store: ObjectStore, object_id: str) -> str:
    return store.download_urls([object_id], presigned=True, base_url="ignored").presigned[0]


def same_store(store: S3Store, server: SeaweedServer, **options: Any) -> S3Store:
    """Another store over the same objects."""
    return s3_store(server, store._bucket.name, store._bucket.prefix, **options)
