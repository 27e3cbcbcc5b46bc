"""Builds the parts of the server from its settings: the engine, the stores and the catalogue over them."""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.catalog import Catalog, Limits
from storage.catalog.caller import SCOPES
from storage.catalog.service import Identity, load_identity
from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, ObjectStore
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.import_marker import require_complete_import
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.gateway import Gateway
from tams_server.settings import Settings
from tams_server.storage_backends import log_unavailable_backends, open_stores, unavailable_backends
from tams_server.storage_backends_file import UrlTimeouts, read_backends


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that every process of the server works with. stores: by storage backend id, the default first."""

    settings: Settings
    identity: Identity
    engine: Engine
    catalog: Catalog
    stores: Mapping[str, ObjectStore]

    @property
    def folders(self) -> dict[str, FileStore]:
        """The stores whose URLs this server serves itself."""
        return {id_: store for id_, store in self.stores.items() if isinstance(store, FileStore)}

    def check_writable(self) -> dict[str, str]:
        """Return the problem of each storage backend that is unavailable, by id.

        Raises: Unavailable if the catalogue cannot be written, or if all storage backends are unavailable.
        """
        self.catalog.service.check_writable()
        problems = unavailable_backends(self.stores)
        if len(problems) == len(self.stores):
            raise Unavailable("; ".join(problems.values()))
        return problems

    def close(self) -> None:
        self.engine.close()


def open_tables(settings: Settings) -> Engine:
    """Return the engine for the database in the settings. Does not contact the database yet."""
    return open_engine(settings.catalog_database, vast_secret=settings.vast_secret)


def open_parts(settings: Settings, identity: Identity | None = None) -> Parts:
    """Open the catalogue and the stores, which `prepare` has created.

    identity: as `prepare` returned it. With it the database is not contacted, so that a process can start while the
    database is unavailable.
    Raises: Unavailable; SettingsError for an invalid file of storage backends.
    """
    engine = open_tables(settings)
    identity = identity or load_identity(engine)
    secret = bytes.fromhex(identity.media_url_secret)
    if settings.storage_backends is not None:
        timeouts = _url_timeouts(settings)
        stores = open_stores(read_backends(settings.storage_backends, timeouts), timeouts, secret)
    else:
        stores = _embedded_store(settings, identity.default_backend_id, secret)
    gateway = Gateway(address_rules(settings), max_bytes=settings.max_upload_bytes)
    catalog = Catalog(
        engine,
        stores,
        _limits(settings),
        outbound=gateway,
        verify_uploads=settings.verify_uploads,
        describe_sources=settings.new_source_metadata == "flow",
    )
    return Parts(settings, identity, engine, catalog, stores)


def _embedded_store(settings: Settings, id_: str, secret: bytes) -> dict[str, ObjectStore]:
    """Return the only store of a server without a file of storage backends: a folder in the data folder."""
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


def _url_timeouts(settings: Settings) -> UrlTimeouts:
    return UrlTimeouts(
        minimum=settings.min_presigned_url_timeout,
        max_upload=settings.unregistered_object_lifetime,
        upload=settings.upload_url_timeout,
        download=settings.download_url_timeout,
    )


def address_rules(settings: Settings) -> AddressRules:
    """Return the rules for the addresses that this server may connect to."""
    return AddressRules(settings.webhook_networks)


def prepare(settings: Settings) -> tuple[Identity, str | None]:
    """Create the tables, the identity and the credentials in the settings where they are missing.

    Safe to call at every start. Returns the identity, and a new token with all scopes if there are no credentials yet.
    Raises: as `prepare_tables` and `open_parts`.
    """
    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        log_unavailable_backends(parts.stores)
        return parts.identity, _bootstrap(parts)
    finally:
        parts.close()


def prepare_tables(settings: Settings) -> None:
    """Create the data folder and the tables where they are missing.

    Raises: Invalid for a catalogue whose import was interrupted; Unavailable.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_tables(settings)
    try:
        engine.create()
        require_complete_import(engine)
        if settings.enable_table_projections:
            engine.enable_projections()
    finally:
        engine.close()


def _bootstrap(parts: Parts) -> str | None:
    """Store the service name and credentials in the settings. Returns a new token if there are no credentials."""
    settings, catalog = parts.settings, parts.catalog
    if settings.service_name and "name" not in catalog.service.get():
        catalog.service.update({"name": settings.service_name})
    if settings.bootstrap_token:
        catalog.credentials.set_token("bootstrap", SCOPES, settings.bootstrap_token)
    if settings.bootstrap_basic:
        user, _, password = settings.bootstrap_basic.partition(":")
        catalog.credentials.add_password(user, password, SCOPES)
    return catalog.credentials.add_token("first-start", SCOPES) if catalog.credentials.empty() else None


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
        webhook_set_aside_s=settings.webhook_set_aside,
    )
