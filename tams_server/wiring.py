"""Builds what the server works with, from its settings: the engine, the stores and the catalogue over them."""

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.catalog import Catalog, Limits
from storage.catalog.caller import SCOPES
from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, ObjectStore
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.import_marker import check_whole
from tams_server import storage_backends
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.gateway import Gateway
from tams_server.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What an installation has made up for itself once, the same in every process and at every start.

    media_url_secret: hexadecimal. default_backend_id: of the embedded file store.
    """

    media_url_secret: str
    default_backend_id: str


@dataclass(frozen=True, slots=True)
class Parts:
    """stores: by backend id, the default first."""

    settings: Settings
    identity: Identity
    engine: Engine
    catalog: Catalog
    stores: Mapping[str, ObjectStore]

    @property
    def folders(self) -> dict[str, FileStore]:
        """The stores whose URLs this server answers itself."""
        return {id_: store for id_, store in self.stores.items() if isinstance(store, FileStore)}

    def check_writable(self) -> dict[str, str]:
        """The storage backends that are out of order, with what there is to say of each.

        Raises Unavailable where the catalogue cannot be written, or no backend can be used.
        """
        with self.engine.write() as tx:
            tx.get("service", key="media_url_secret")  # an engine may ask nothing of its database before it has to
        problems = storage_backends.unavailable(self.stores)
        if len(problems) == len(self.stores):
            raise Unavailable("; ".join(problems.values()))
        return problems

    def close(self) -> None:
        self.engine.close()


def open_tables(settings: Settings) -> Engine:
    """The engine of these settings. Nothing is read or created yet."""
    return open_engine(settings.catalog_url, vast_secret=settings.vast_secret)


def open_parts(settings: Settings, identity: Identity | None = None) -> Parts:
    """Open the catalogue and the stores, which `prepare` has made. With the identity that it has told, nothing is
    asked of the database, which may be away.

    Raises storage.errors.Unavailable, and SettingsError for a file of storage backends that cannot be used.
    """
    engine = open_tables(settings)
    identity = identity or _identify(engine)
    secret = bytes.fromhex(identity.media_url_secret)
    if settings.storage_backends is not None:
        times = _url_times(settings)
        stores = storage_backends.open_stores(
            storage_backends.read_backends(settings.storage_backends, times), times, secret
        )
    else:
        stores = _embedded(settings, identity.default_backend_id, secret)
    gateway = Gateway(address_rules(settings), most_bytes=settings.max_upload_bytes)
    return Parts(settings, identity, engine, Catalog(engine, stores, _limits(settings), outbound=gateway), stores)


def _embedded(settings: Settings, id_: str, secret: bytes) -> dict[str, ObjectStore]:
    """The one store of a server that is told of none: a folder of its own."""
    backend = Backend(
        id=id_,
        label=settings.backend_label,
        provider="tams-server",
        store_product="embedded file store",
        region="local",
        default_storage=True,
    )
    store = FileStore(
        settings.data_dir / "media",
        backend,
        secret,
        upload_timeout_s=settings.upload_url_timeout,
        download_timeout_s=settings.download_url_timeout,
    )
    return {id_: store}


def _url_times(settings: Settings) -> storage_backends.UrlTimes:
    return storage_backends.UrlTimes(
        least=settings.min_presigned_url_timeout,
        most_upload=settings.min_object_timeout + settings.object_grace,
        upload=settings.upload_url_timeout,
        download=settings.download_url_timeout,
    )


def address_rules(settings: Settings) -> AddressRules:
    """Which addresses this server may connect to by itself."""
    return AddressRules(settings.webhook_networks)


def prepare(settings: Settings) -> tuple[Identity, str | None]:
    """Make tables, identity and the credentials of the settings, where they are not there yet.

    Returns the identity, and a new token with all rights where nobody could come in otherwise. Safe to call at every
    start.
    """
    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        storage_backends.warn_of_unavailable(parts.stores)
        return parts.identity, _bootstrap(parts)
    finally:
        parts.close()


def prepare_tables(settings: Settings) -> None:
    """Make the data folder and the tables, where they are not there yet.

    Raises storage.errors.Invalid for a catalogue whose import was interrupted, and Unavailable.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_tables(settings)
    try:
        engine.create()
        check_whole(engine)
        if settings.enable_table_projections and settings.catalog_url.startswith("vast"):
            _enable_projections(engine)
    finally:
        engine.close()


def _enable_projections(engine: Engine) -> None:
    from storage.tables.vast.engine import VastEngine
    from storage.tables.vast.projections import enable_projections

    if isinstance(engine, VastEngine):
        enable_projections(engine)


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


def _identify(engine: Engine) -> Identity:
    """The identity of this installation, made up if it has none."""
    return Identity(
        media_url_secret=_fact(engine, "media_url_secret", lambda: secrets.token_hex(32)),
        default_backend_id=_fact(engine, "default_backend_id", lambda: str(uuid.uuid4())),
    )


def _fact(engine: Engine, key: str, make: Callable[[], str]) -> Any:
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
        job_lease_s=settings.job_lease,
        webhook_give_up_s=settings.webhook_give_up,
    )
