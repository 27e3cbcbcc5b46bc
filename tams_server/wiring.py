"""Builds the parts of the server from its settings: the engine, the stores and the catalogue over them."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from storage.analytics.limits import Limits as AnalyticsLimits
from storage.analytics.process import QueryProcess
from storage.analytics.request import Place
from storage.catalog import Catalog
from storage.catalog.caller import SCOPES
from storage.catalog.playback.signed_playlists import LIFETIME_S as PLAYLIST_URL_LIFETIME_S
from storage.catalog.service import Identity, has_objects, load_identity, require_installation
from storage.catalog.url_keys import read_keys
from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.marker import NO_OWNER, Owner, UnknownPlace
from storage.media.object_store import ObjectStore
from storage.media.signing import MARGIN_S
from storage.media.url_keys import UrlKey, UrlKeys
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.import_marker import require_complete_import
from tams_server.access_rules_file import read_access_rules
from tams_server.auth.bootstrap import store_credentials
from tams_server.catalog_limits import limits_of, stored_bytes_quota
from tams_server.cores import query_threads
from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.gateway import Gateway
from tams_server.quotas.quota_rules import read_quota_rules
from tams_server.settings import Settings
from tams_server.storage_backends import check_at_start, embedded_store, open_stores, unavailable_backends
from tams_server.storage_backends_file import UrlTimeouts, read_backends
from tams_server.tracing.traced_engine import TracedEngine
from tams_server.tracing.tracing import Tracing

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from tams_server.auth.issuer import Issuer
    from tams_server.auth.token_verifier import TrustedIssuer

_THREADS = 8
_VAST_THREADS = 32
"""Handlers wait most of the time for a VAST cluster, with several requests each."""


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

    @property
    def handler_threads(self) -> int:
        """How many requests a process handles in threads concurrently."""
        on_vast = (self.settings.database_url or "").startswith("vast")
        return self.settings.threads or (_VAST_THREADS if on_vast else _THREADS)

    def check_writable(self) -> dict[str, str]:
        """Return the problem of each storage backend that is unavailable, by id.

        Raises: Unavailable if the catalogue cannot be written or is that of another installation, or if all storage
        backends are unavailable.
        """
        require_installation(self.engine, self.identity.installation)
        self.catalog.service.check_writable()
        problems = unavailable_backends(self.stores)
        if len(problems) == len(self.stores):
            raise Unavailable("; ".join(problems.values()))
        return problems

    def close(self) -> None:
        self.catalog.analytics.close()
        self.engine.close()


def open_tables(settings: Settings) -> Engine:
    """Return the engine for the database in the settings. Does not contact the database yet."""
    return open_engine(settings.catalog_database, vast_secret=settings.vast_secret, reserve=settings.free_space_reserve)


def open_parts(settings: Settings, identity: Identity | None = None, *, tracing: Tracing | None = None) -> Parts:
    """Open the catalogue and the stores, which `prepare` has created.

    identity: as `prepare` returned it. With it the database is not contacted, so that a process can start while the
    database is unavailable. tracing: what records the transactions of the catalogue.
    Raises: Unavailable; SettingsError for an invalid file of storage backends or of quotas.
    """
    engine = open_tables(settings)
    if identity is None:
        identity = load_identity(engine)
    else:
        engine.hold(identity.database)
    if tracing is not None:
        engine = TracedEngine(engine, tracing)
    keys = UrlKeys(identity.url_keys, read=partial(read_keys, engine))
    stores = _open_stores(settings, identity.default_backend_id, keys, partial(_owner, engine, identity))
    max_bytes = min(settings.fetch_max_bytes, settings.max_upload_bytes or settings.fetch_max_bytes)
    gateway = Gateway(address_rules(settings), max_bytes=max_bytes, timeout_s=settings.fetch_timeout)
    catalog = Catalog(
        engine,
        stores,
        limits_of(settings),
        outbound=gateway,
        verify_uploads=settings.verify_uploads,
        describe_sources=settings.new_source_metadata == "flow",
        stored_bytes_quota=stored_bytes_quota(settings),
        access=read_access_rules(settings),
        queries=query_process(settings, identity.database) if settings.analytics else None,
        analytics_rows=settings.analytics_rows,
        playlist_keys=keys if settings.url_tokens else None,
    )
    return Parts(settings, identity, engine, catalog, stores)


def query_process(settings: Settings, file_id: tuple[int, int] | None = None) -> QueryProcess:
    """Return what runs queries of analytics, and starts with the first one. file_id: of the SQLite file in use."""
    database = settings.catalog_database
    is_file = isinstance(database, Path)
    place = Place(str(database), is_file, settings.vast_secret, file_id, settings.analytics_trino_url)
    limits = AnalyticsLimits(
        settings.analytics_memory, settings.analytics_timeout, settings.analytics_rows, query_threads()
    )
    return QueryProcess(place, limits)


def open_issuers(issuers: Sequence["Issuer"]) -> list["TrustedIssuer"]:
    """Return the issuers of tokens with their keys, of which none is fetched yet."""
    if not issuers:
        return []
    from tams_server.auth.discovery import trusted_issuers
    from tams_server.outbound.documents import DocumentFetcher  # importing its HTTP client is slow

    return trusted_issuers(issuers, lambda issuer: DocumentFetcher(issuer.ca_file).fetch)


def open_file_stores(settings: Settings, installation: str | None = None) -> dict[str, FileStore]:
    """Return the file stores in the settings, by storage backend id, for access to their files alone.

    installation: id of the installation whose catalogue is to be restored; that in the catalogue by default.
    """
    owner: Callable[[str], Owner] = _new_owner
    if installation is None:
        with closing(open_tables(settings)) as engine:
            installation = load_identity(engine).installation
        owner = partial(_owner_in, settings, installation)
    stores = _open_stores(settings, installation, UrlKeys([UrlKey(secrets.token_bytes())]), owner)
    return {id_: store for id_, store in stores.items() if isinstance(store, FileStore)}


def _open_stores(
    settings: Settings, embedded_id: str, keys: UrlKeys, owner: Callable[[str], Owner]
) -> dict[str, ObjectStore]:
    """Return the stores by storage backend id.

    embedded_id: of the only one if the settings describe none.
    owner: returns the catalogue of the objects on a backend.
    """
    if settings.storage_backends is None:
        return {embedded_id: embedded_store(settings, embedded_id, keys, owner(embedded_id))}
    timeouts = UrlTimeouts.of(settings)
    entries = read_backends(settings.storage_backends, timeouts)
    return open_stores(entries, timeouts, keys, owner=owner, reserve=settings.free_space_reserve)


def _owner(engine: Engine, identity: Identity, storage_id: str) -> Owner:
    return Owner(partial(has_objects, engine, storage_id), identity.installation)


def _owner_in(settings: Settings, installation: str, storage_id: str) -> Owner:
    def is_used() -> bool:
        with closing(open_tables(settings)) as engine:
            return has_objects(engine, storage_id)

    return Owner(is_used, installation)


def _new_owner(_storage_id: str) -> Owner:
    """A catalogue that is still to be restored, and may find its objects in place."""
    return NO_OWNER


def longest_url_lifetime(settings: Settings) -> int:
    """For how many seconds the presigned URLs of any file store, and of playlists, are valid at most."""
    timeouts = UrlTimeouts.of(settings)
    lifetimes = [timeouts.upload, timeouts.download, PLAYLIST_URL_LIFETIME_S]
    if settings.storage_backends is not None:
        entries = read_backends(settings.storage_backends, timeouts)
        names = ("upload_url_timeout", "download_url_timeout")
        lifetimes += [entry[name] for entry in entries for name in names if name in entry]
    return max(lifetimes) + MARGIN_S


def address_rules(settings: Settings) -> AddressRules:
    """Return the rules for the addresses that this server may connect to."""
    return AddressRules(settings.webhook_networks)


def prepare(settings: Settings) -> tuple[Identity, str | None]:
    """Create the tables, the identity and the credentials in the settings where they are missing.

    Safe to call at every start. Returns the identity, and a new token with all scopes if there are no credentials yet.
    Raises: as `prepare_tables` and `open_parts`; Unavailable if the place of the only storage backend is not its own,
    or that of any belongs to another installation.
    """
    prepare_tables(settings)
    parts = open_parts(settings)
    try:
        if settings.storage_backends is None:
            _check_place(parts.folders[parts.identity.default_backend_id])
        parts.catalog.prepare_access()
        parts.catalog.clock_guard(0.0).begin()
        check_at_start(parts.stores)
        _log_uncounted_bytes(parts)
        return parts.identity, _bootstrap(parts)
    finally:
        parts.close()


def _log_uncounted_bytes(parts: Parts) -> None:
    """Warn if the quota of stored bytes does not hold everywhere."""
    elsewhere = len(parts.stores) - len(parts.folders)
    if elsewhere and not parts.settings.verify_uploads and read_quota_rules(parts.settings).limit("stored_bytes"):
        _log.warning(
            "TAMS_QUOTA_STORED_BYTES does not count the bytes on %s storage backends: their sizes are known only with"
            " TAMS_VERIFY_UPLOADS=true",
            elsewhere,
        )


def _check_place(store: ObjectStore) -> None:
    try:
        store.check_place()
    except UnknownPlace as error:
        raise Unavailable(f"{error.message}; {error.advice}") from error


def prepare_tables(settings: Settings, *, importing: bool = False) -> None:
    """Create the data folder and the tables where they are missing.

    importing: accept a catalogue whose import was interrupted, or that does not exist yet although one is expected.
    Raises: Invalid for such a catalogue otherwise; Unavailable.
    """
    engine = open_tables(settings)
    try:
        if settings.expect_installation is not None and not importing:
            require_installation(engine, settings.expect_installation)
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine.create()
        if not importing:
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
    store_credentials(settings, catalog.credentials)
    return catalog.credentials.add_token("first-start", SCOPES) if catalog.credentials.empty() else None
