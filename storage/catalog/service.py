"""The service as a whole: its description, its identity and its storage backends (SVC-*, SB-*)."""

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.paging import Page, PageRequest, slice_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.media.object_store import Backend
from storage.preconditions import Preconditions, ResourceState, ResourceVersion, digest_of
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.limits import check_document
from storage.timerange import NS, format_timestamp

_log = logging.getLogger(__name__)

_DESCRIPTION = "described"
_DESCRIPTION_MEMBERS = ("name", "description")
_MEDIA_URL_SECRET = "media_url_secret"  # noqa: S105 - a key in the table
_DEFAULT_BACKEND_ID = "default_backend_id"


@dataclass(frozen=True, slots=True)
class Identity:
    """Values generated once for an installation, and the same in all of its processes from then on.

    media_url_secret: key that signs the URLs of embedded stores, in hexadecimal.
    default_backend_id: storage backend id of the embedded file store.
    """

    media_url_secret: str
    default_backend_id: str


def load_identity(engine: Engine) -> Identity:
    """Return the identity of the installation, after generating whatever is missing."""
    return Identity(
        media_url_secret=_load_or_generate(engine, _MEDIA_URL_SECRET, lambda: secrets.token_hex(32)),
        default_backend_id=_load_or_generate(engine, _DEFAULT_BACKEND_ID, lambda: str(uuid.uuid4())),
    )


def _load_or_generate(engine: Engine, key: str, generate: Callable[[], str]) -> str:
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
    return str(row["value"])


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

    def backends(self, tags: TagFilter, request: PageRequest) -> Page:
        """Return the storage backends that match, by label, those without a label last (SB-GET-04 to -07)."""
        backends = [store.backend for store in self._env.stores.values() if tags.matches(store.backend.tags)]
        backends.sort(key=lambda b: (b.label is None, b.label or "", b.id), reverse=request.reverse)
        documents = [_document(backend) for backend in backends]
        return slice_page(documents, f"backends {request.reverse}", request, request.size(self._env.limits))

    def check_writable(self) -> None:
        """Raise Unavailable if a write transaction is not possible at present."""
        with self._env.engine.write() as tx:
            tx.get("service", key=_MEDIA_URL_SECRET)  # an engine may contact its database only for the first statement


def service_version(doc: Mapping[str, Any]) -> ResourceVersion:
    """Return the version of the service document, of which only the description can be changed."""
    return ResourceVersion(digest_of([doc.get(name) for name in _DESCRIPTION_MEMBERS]))


def _document(backend: Backend) -> dict[str, Any]:
    label = {} if backend.label is None else {"label": backend.label}
    return {"id": backend.id, **label, "default_storage": backend.default_storage, **backend.technical_description()}
