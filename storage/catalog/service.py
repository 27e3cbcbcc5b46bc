"""The service as a whole: its description, its identity and its storage backends (SVC-*, SB-*)."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.catalog import url_keys
from storage.catalog.access.backends import backend_permissions
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.paging import Page, PageRequest, slice_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.errors import Unavailable
from storage.media.object_store import Backend
from storage.media.url_keys import UrlKey
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.limits import check_document
from storage.timerange import NS, format_timestamp

_log = logging.getLogger(__name__)

_DESCRIPTION = "described"
_DESCRIPTION_MEMBERS = ("name", "description")
_DEFAULT_BACKEND_ID = "default_backend_id"
_PROBE = "readiness"
EXISTING = "existing"
"""Stands for the id of any installation."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Values generated once for an installation, and the same in all of its processes from then on.

    url_keys: sign the URLs of file stores; as they were when this was loaded.
    default_backend_id: storage backend id of the embedded file store.
    database: tells the database from another under its name (Engine.held).
    """

    url_keys: tuple[UrlKey, ...]
    default_backend_id: str
    database: tuple[int, int] | None = None

    @property
    def installation(self) -> str:
        """The id of the installation, which backups of its catalogue have too."""
        return self.default_backend_id


def load_identity(engine: Engine) -> Identity:
    """Return the identity of the installation, after generating whatever is missing."""
    return Identity(
        url_keys=url_keys.parse_keys(_load_or_generate(engine, url_keys.ROW, url_keys.new_value)),
        default_backend_id=str(_load_or_generate(engine, _DEFAULT_BACKEND_ID, lambda: str(uuid.uuid4()))),
        database=engine.held(),
    )


def require_installation(engine: Engine, expected: str) -> None:
    """Check, before anything is made, that the catalogue is there and that of an installation.

    expected: its id, or EXISTING for any. Raises Unavailable.
    """
    try:
        with engine.read() as tx:
            row = tx.get("service", key=_DEFAULT_BACKEND_ID)
    except Unavailable as error:
        raise Unavailable(f"the catalogue of an existing installation is expected: {error.message}") from error
    found = None if row is None else str(row["value"])
    if found is None or expected not in (EXISTING, found):
        what = "that of no installation" if found is None else f"that of the installation {found}"
        raise Unavailable(
            f"the catalogue of {'an existing' if expected == EXISTING else 'the'} installation"
            f"{'' if expected == EXISTING else f' {expected}'} is expected, and this is {what}"
        )


def _load_or_generate(engine: Engine, key: str, generate: Callable[[], str]) -> Any:
    with engine.read() as tx:
        row = tx.get("service", key=key)
    if row is None:
        with engine.write() as tx:
            tx.lock("service")
            row = tx.get("service", key=key)
            if row is None:
                row = {"key": key, "value": generate()}
                tx.insert("service", [row])
                _log.info("generated %s", key)
    return row["value"]


def has_objects(engine: Engine, storage_id: str) -> bool:
    """Whether the catalogue knows objects on a storage backend. Reads all instances if there are none."""
    with engine.read_once() as tx:
        return bool(tx.select("instances", equals(storage_id=storage_id), limit=1, columns=["object_id"]))


class Service:
    def __init__(self, env: Environment) -> None:
        self._env = env
        limits = env.limits
        self._fixed = {
            "type": "urn:x-tams:service.tams-server",
            "event_stream_mechanisms": [{"name": "webhooks"}],
            "min_object_timeout": format_timestamp(limits.min_object_timeout_s * NS),
            "min_presigned_url_timeout": format_timestamp(limits.min_presigned_url_timeout_s * NS),
        }

    def get(self) -> dict[str, Any]:
        """Return the service document (service.json, SVC-GET-01 to -10), without the versions of API and software."""
        with self._env.engine.read_once() as tx:
            row = tx.get("service", key=_DESCRIPTION)
        return {**(row["value"] if row else {}), **self._fixed}

    @retried
    def update(self, changes: Mapping[str, Any], preconditions: Preconditions | None = None) -> None:
        """Set the name and the description, if given, and leave the rest as it is (SVC-POST-01, -02, -05, AMB-01).

        Raises: Invalid; PreconditionFailed.
        """
        with self._env.engine.write() as tx:
            tx.lock("service")
            row = tx.get("service", key=_DESCRIPTION)
            if preconditions is not None:
                version = service_version(row["value"] if row else {})
                preconditions.check_change(ResourceState(version=version.tag))
            given = {name: changes[name] for name in _DESCRIPTION_MEMBERS if name in changes}
            check_document(given, "description of the service")
            tx.delete("service", equals(key=_DESCRIPTION))
            tx.insert("service", [{"key": _DESCRIPTION, "value": (row["value"] if row else {}) | given}])

    def backends(self, caller: Caller, tags: TagFilter, request: PageRequest) -> Page:
        """Return the storage backends that match, by label, those without a label last (SB-GET-04 to -07).

        Those on which the caller has no permission are left out (AUTHZ-09).
        """
        known = (store.backend for store in self._env.stores.values() if backend_permissions(caller, store.backend))
        backends = [backend for backend in known if tags.matches(backend.tags)]
        backends.sort(key=lambda b: (b.label is None, b.label or "", b.id), reverse=request.reverse)
        documents = [_document(backend) for backend in backends]
        return slice_page(documents, f"backends {request.reverse}", request, request.size(self._env.limits))

    @retried
    def check_writable(self) -> None:
        """Make a change, durably. Raises Unavailable if that is not possible at present, or if space is short."""
        self._env.engine.check_space()
        value = str(self._env.clock())
        with self._env.engine.write() as tx:
            # Without a lock, which others may hold for longer than a probe waits.
            if tx.update("service", equals(key=_PROBE), {"value": value}):
                return
            tx.lock(_PROBE)
            if tx.get("service", key=_PROBE) is None:
                tx.insert("service", [{"key": _PROBE, "value": value}])


def service_version(doc: Mapping[str, Any]) -> ResourceVersion:
    """Return the version of the service document, of which only the description can be changed."""
    return ResourceVersion(digest_of([doc.get(name) for name in _DESCRIPTION_MEMBERS]))


def _document(backend: Backend) -> dict[str, Any]:
    label = {} if backend.label is None else {"label": backend.label}
    return {"id": backend.id, **label, "default_storage": backend.default_storage, **backend.technical_description()}
