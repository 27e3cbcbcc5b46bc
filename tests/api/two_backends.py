"""The application with two storage backends that have tags, and its worker."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.catalog import Catalog
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from tams_server.outbound.gateway import Gateway
from tams_server.settings import Settings
from tams_server.wiring import Parts, address_rules, open_parts
from tests.api.in_process import TOKEN, serving
from tests.conformance.kit.server import Subject
from tests.unit.workers import working

_SECRET = b"0123456789abcdef"
_HOME_TAGS: dict[str, str | list[str]] = {"tier": "hot", "sites": ["London", "Salford, Greater Manchester"]}
_SECOND = Backend(
    "22222222-2222-4222-8222-222222222222", "second", "example", "files", tags={"tier": "cold", "slow": "yes"}
)


def _parts(settings: Settings) -> Parts:
    """Open the parts of the settings, add tags to the backend, and add a second backend."""
    parts = open_parts(settings)
    (home,) = parts.stores.values()
    home.backend = dataclasses.replace(home.backend, region="here", tags=_HOME_TAGS)
    second = FileStore(settings.data_dir / "second", _SECOND, _SECRET, upload_timeout_s=600, download_timeout_s=3600)
    stores = {home.backend.id: home, _SECOND.id: second}
    catalog = Catalog(parts.engine, stores, outbound=Gateway(address_rules(settings)))
    return dataclasses.replace(parts, catalog=catalog, stores=stores)


@contextmanager
def served(folder: Path) -> Iterator[Subject]:
    """Run the server and its worker until the block ends."""
    with serving(folder, _parts) as running, working(running.catalog, running.specification.webhooks):
        yield Subject(running.url, TOKEN)
