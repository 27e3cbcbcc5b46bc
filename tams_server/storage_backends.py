"""Opens the object stores of the configured storage backends and reports those that are unavailable."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, ObjectStore
from storage.media.s3 import S3Store
from storage.media.s3_client import Bucket
from storage.media.s3_credentials import ChainCredentials, CredentialSource, EnvironmentCredentials, FileCredentials
from tams_server.storage_backends_file import Entry, UrlTimeouts

_log = logging.getLogger(__name__)


def open_stores(entries: Sequence[Entry], timeouts: UrlTimeouts, secret: bytes) -> dict[str, ObjectStore]:
    """Return a store for each validated entry, by storage backend id, in the order given.

    Nothing is connected to or created: a backend may be unavailable at start. secret: key that signs the URLs of file
    stores.
    """
    return {entry["id"]: _open(entry, timeouts, secret) for entry in entries}


def unavailable_backends(stores: Mapping[str, ObjectStore]) -> dict[str, str]:
    """Check all stores concurrently. Returns the error message of each unavailable one, by storage backend id."""
    with ThreadPoolExecutor(max_workers=max(len(stores), 1)) as pool:
        errors = pool.map(_check, stores.values())
        return {id_: error for id_, error in zip(stores, errors, strict=True) if error is not None}


def log_unavailable_backends(stores: Mapping[str, ObjectStore]) -> None:
    """Log a warning for each unavailable storage backend."""
    for error in unavailable_backends(stores).values():
        _log.warning("%s; the server starts without this storage backend and uses it once it is available", error)


def _check(store: ObjectStore) -> str | None:
    try:
        store.check()
    except Unavailable as error:
        return error.message
    return None


def _open(entry: Entry, timeouts: UrlTimeouts, secret: bytes) -> ObjectStore:
    backend = Backend(
        id=entry["id"],
        label=entry.get("label"),
        provider=entry.get("provider", "tams-server"),
        store_product=entry.get("store_product", "embedded file store"),
        region=entry.get("region"),
        availability_zone=entry.get("availability_zone"),
        default_storage=entry.get("default", False),
        tags=entry.get("tags", {}),
    )
    upload_s = entry.get("upload_url_timeout", timeouts.upload)
    download_s = entry.get("download_url_timeout", timeouts.download)
    if entry["kind"] == "files":
        folder = Path(entry["folder"])
        return FileStore(
            folder, backend, secret, upload_timeout_s=upload_s, download_timeout_s=download_s, may_be_missing=True
        )
    if entry["kind"] == "s3":
        return S3Store(
            backend,
            _bucket(entry),
            _credential_source(entry["credentials"]),
            upload_timeout_s=upload_s,
            download_timeout_s=download_s,
            unsigned=entry.get("unsigned", False),
            write_once=entry.get("write_once", False),
        )
    raise LookupError(f"no object store is known for the kind {entry['kind']!r}")


def _bucket(entry: Entry) -> Bucket:
    return Bucket(
        entry["bucket"],
        entry["endpoint"].rstrip("/"),
        entry["region"],
        public_endpoint=entry["public_endpoint"].rstrip("/") if "public_endpoint" in entry else None,
        prefix=entry.get("prefix", ""),
        virtual_host=entry.get("addressing_style") == "virtual",
        ca_file=entry.get("ca_file"),
    )


def _credential_source(credentials: Entry) -> CredentialSource:
    if "access_key_env" in credentials:
        return EnvironmentCredentials(**credentials)
    if "file" in credentials:
        return FileCredentials(Path(credentials["file"]), credentials.get("profile", "default"))
    return ChainCredentials()
