"""Opens the object stores of the storage backends, configured or embedded, and reports those that are unavailable."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.marker import NO_OWNER, ForeignPlace, Owner
from storage.media.object_store import Backend, ObjectStore
from storage.media.s3 import S3Store
from storage.media.s3_client import Bucket
from storage.media.s3_credentials import ChainCredentials, CredentialSource, EnvironmentCredentials, FileCredentials
from storage.media.url_keys import UrlKeys
from tams_server.access_rules_file import embedded_backend_tags
from tams_server.settings import Settings
from tams_server.storage_backends_file import Entry, UrlTimeouts

_log = logging.getLogger(__name__)


def open_stores(
    entries: Sequence[Entry],
    timeouts: UrlTimeouts,
    keys: bytes | UrlKeys,
    *,
    owner: Callable[[str], Owner] = lambda _id: NO_OWNER,
    reserve: int = 0,
) -> dict[str, ObjectStore]:
    """Return a store for each validated entry, by storage backend id, in the order given.

    No S3 store is connected to, and a backend may be unavailable at start. keys: sign the URLs of file stores.
    owner: returns the catalogue of the objects on a backend. reserve: free space in bytes that file stores keep.
    """
    return {entry["id"]: _open(entry, timeouts, keys, owner(entry["id"]), reserve) for entry in entries}


def embedded_store(settings: Settings, id_: str, keys: UrlKeys, owner: Owner) -> FileStore:
    """Return the only store of a server without a file of storage backends: a folder in the data folder.

    owner: the catalogue of its objects.
    """
    backend = Backend(
        id=id_,
        label=settings.backend_label,
        provider="tams-server",
        store_product="embedded file store",
        region="local",
        default_storage=True,
        tags=embedded_backend_tags(settings),
    )
    return FileStore(
        settings.data_dir / "media",
        backend,
        keys,
        upload_timeout_s=settings.upload_url_timeout,
        download_timeout_s=settings.download_url_timeout,
        owner=owner,
        reserve=settings.free_space_reserve,
    )


def unavailable_backends(stores: Mapping[str, ObjectStore]) -> dict[str, str]:
    """Check all stores concurrently. Returns the error message of each unavailable one, by storage backend id."""
    return {id_: error.message for id_, error in _errors(stores).items()}


def check_at_start(stores: Mapping[str, ObjectStore]) -> None:
    """Log a warning for each unavailable storage backend. Raises Unavailable if one belongs to another catalogue."""
    errors = _errors(stores)
    for error in errors.values():
        if isinstance(error, ForeignPlace):
            raise Unavailable(f"{error.message} {error.advice}") from error
    for error in errors.values():
        _log.warning(
            "%s; the server starts without this storage backend and uses it once it is available", error.message
        )


def _errors(stores: Mapping[str, ObjectStore]) -> dict[str, Unavailable]:
    with ThreadPoolExecutor(max_workers=max(len(stores), 1)) as pool:
        errors = pool.map(_check, stores.values())
        return {id_: error for id_, error in zip(stores, errors, strict=True) if error is not None}


def _check(store: ObjectStore) -> Unavailable | None:
    try:
        store.check()
    except Unavailable as error:
        return error
    return None


def _open(entry: Entry, timeouts: UrlTimeouts, keys: bytes | UrlKeys, owner: Owner, reserve: int) -> ObjectStore:
    backend = Backend(
        id=entry["id"],
        label=entry.get("label"),
        provider=entry.get("provider", "tams-server"),
        store_product=entry.get("store_product", "embedded file store"),
        region=entry.get("region"),
        availability_zone=entry.get("availability_zone"),
        default_storage=entry.get("default", False),
        tags=_tags(entry),
    )
    upload_s = entry.get("upload_url_timeout", timeouts.upload)
    download_s = entry.get("download_url_timeout", timeouts.download)
    if entry["kind"] == "files":
        folder = Path(entry["folder"])
        return FileStore(
            folder,
            backend,
            keys,
            upload_timeout_s=upload_s,
            download_timeout_s=download_s,
            may_be_missing=True,
            owner=owner,
            reserve=reserve,
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
            owner=owner,
        )
    raise LookupError(f"no object store is known for the kind {entry['kind']!r}")


def _tags(entry: Entry) -> dict[str, str | list[str]]:
    """The tags of a backend, with its classes, which may stand beside them."""
    tags: dict[str, str | list[str]] = entry.get("tags", {})
    return {**tags, "auth_classes": entry["auth_classes"]} if "auth_classes" in entry else tags


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
