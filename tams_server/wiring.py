"""Builds what the server works with, from its settings: the engine, the stores and the catalogue over them."""

import logging
import secrets
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.catalog import Catalog, Limits
from storage.catalog.caller import SCOPES
from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables import open_engine
from storage.tables.engine import Engine
from tams_server.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """stores: by backend id, the default first."""

    settings: Settings
    engine: Engine
    catalog: Catalog
    stores: Mapping[str, FileStore]

    def check_writable(self) -> None:
        """Raises Unavailable where the catalogue or the store cannot be written."""
        with self.engine.write():
            pass
        try:
            with tempfile.TemporaryFile(dir=self.settings.data_dir) as probe:
                probe.write(b"probe")
                probe.flush()
        except OSError as error:
            raise Unavailable(f"the media store cannot be written: {error.strerror}") from error

    def close(self) -> None:
        self.engine.close()


def open_parts(settings: Settings) -> Parts:
    """Open the catalogue and the stores, which `prepare` has made. Raises storage.errors.Unavailable."""
    engine = open_engine(settings.catalog_url)
    store = FileStore(
        settings.data_dir / "media",
        Backend(
            id=_fact(engine, "default_backend_id", lambda: str(uuid.uuid4())),
            label=settings.backend_label,
            provider="tams-server",
            store_product="embedded file store",
            region="local",
            default_storage=True,
        ),
        bytes.fromhex(_fact(engine, "media_url_secret", lambda: secrets.token_hex(32))),
        upload_timeout_s=settings.upload_url_timeout,
        download_timeout_s=settings.download_url_timeout,
    )
    stores = {store.backend.id: store}
    return Parts(settings, engine, Catalog(engine, stores, _limits(settings)), stores)


def prepare(settings: Settings) -> str | None:
    """Make tables, identity and the credentials of the settings, where they are not there yet.

    Returns a new token with all rights where nobody could come in otherwise, else None. Safe to call at every start.
    """
    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        return _bootstrap(parts)
    finally:
        parts.close()


def prepare_tables(settings: Settings) -> None:
    """Make the data folder and the tables, where they are not there yet."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.catalog_url)
    try:
        engine.create()
    finally:
        engine.close()


def _bootstrap(parts: Parts) -> str | None:
    settings, catalog = parts.settings, parts.catalog
    if settings.service_name and "name" not in catalog.service.get():
        catalog.service.update({"name": settings.service_name})
    if settings.bootstrap_token:
        catalog.credentials.set_token("bootstrap", SCOPES, settings.bootstrap_token)
    if settings.bootstrap_basic:
        user, _, password = settings.bootstrap_basic.partition(":")
        catalog.credentials.add_password(user, password, SCOPES)
    return catalog.credentials.add_token("first-start", SCOPES) if catalog.credentials.empty() else None


def _fact(engine: Engine, key: str, make: Callable[[], str]) -> Any:
    """A fact of this installation: made once, the same in every process and at every start."""
    with engine.read() as tx:
        row = tx.get("service", key=key)
    if row is not None:
        return row["value"]
    with engine.write() as tx:
        tx.lock("service")
        row = tx.get("service", key=key)
        if row is None:
            row = {"key": key, "value": make()}
            tx.insert("service", [row])
            _log.info("made %s", key)
    return row["value"]


def _limits(settings: Settings) -> Limits:
    return Limits(
        min_object_timeout_s=settings.min_object_timeout,
        min_presigned_url_timeout_s=settings.min_presigned_url_timeout,
        object_grace_s=settings.object_grace,
        page_default=settings.page_limit_default,
        page_max=settings.page_limit_max,
        storage_default=settings.storage_limit_default,
        storage_max=settings.storage_limit_max,
        async_deletion_threshold=settings.async_deletion_threshold,
    )
