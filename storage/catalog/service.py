"""The service as a whole: what it is called, and its storage backends."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.paging import Page, PageRequest, slice_page
from storage.catalog.retry import retried
from storage.catalog.tags import TagFilter
from storage.media.object_store import Backend
from storage.tables.conditions import equals
from storage.timerange import NS, format_timestamp

API_VERSION = "8.2"
_DESCRIBED = ("name", "description")


def _software_version() -> str:
    try:
        return version("tams-server")
    except PackageNotFoundError:
        return "0"


class Service:
    def __init__(self, env: Environment) -> None:
        self._env = env
        limits = env.limits
        self._fixed = {
            "type": "urn:x-tams:service.tams-server",
            "api_version": API_VERSION,
            "service_version": _software_version(),
            "event_stream_mechanisms": [{"name": "webhooks"}],
            "min_object_timeout": format_timestamp(limits.min_object_timeout_s * NS),
            "min_presigned_url_timeout": format_timestamp(limits.min_presigned_url_timeout_s * NS),
        }

    def get(self) -> dict[str, Any]:
        """The service document (service.json, SVC-GET-01 to -10)."""
        with self._env.engine.read_once() as tx:
            row = tx.get("service", key="described")
        return {**(row["value"] if row else {}), **self._fixed}

    @retried
    def update(self, changes: Mapping[str, Any]) -> None:
        """Set name and description where given; all else is left as it is (SVC-POST-01, -02, -05, AMB-01)."""
        with self._env.engine.write() as tx:
            tx.lock("service")
            row = tx.get("service", key="described")
            value = (row["value"] if row else {}) | {name: changes[name] for name in _DESCRIBED if name in changes}
            tx.delete("service", equals(key="described"))
            tx.insert("service", [{"key": "described", "value": value}])

    def backends(self, tags: TagFilter, request: PageRequest) -> Page:
        """Storage backends that match, by label, those without one last (SB-GET-04 to -07)."""
        backends = [store.backend for store in self._env.stores.values() if tags.matches(store.backend.tags)]
        backends.sort(key=lambda b: (b.label is None, b.label or "", b.id), reverse=request.reverse)
        documents = [_document(backend) for backend in backends]
        return slice_page(documents, f"backends {request.reverse}", request, request.size(self._env.limits))


def _document(backend: Backend) -> dict[str, Any]:
    label = {} if backend.label is None else {"label": backend.label}
    return {"id": backend.id, **label, "default_storage": backend.default_storage, **backend.described()}
