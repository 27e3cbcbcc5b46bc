"""A catalogue over two stores on real files, with a clock that the test turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.catalog import Catalog, Limits
from storage.catalog.caller import Caller
from storage.catalog.environment import SECOND
from storage.catalog.objects import ObjectPage, ObjectQuery
from storage.catalog.paging import PageRequest
from storage.catalog.segments import SegmentFilter
from storage.catalog.urls import UrlFilter
from storage.errors import NotFound, TamsError
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables import open_engine
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow

CALLER = Caller("tester", frozenset({"admin"}))
BASE = "https://tams.example"
HOME = "11111111-1111-4111-8111-111111111111"
SECOND_HOME = "22222222-2222-4222-8222-222222222222"
START = 1_800_000_000 * SECOND
_SECRET = b"0123456789abcdef"


class Clock:
    """Microseconds since 1970, standing still unless turned."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class World:
    """catalog: under test; stores: by backend id, HOME the default."""

    catalog: Catalog
    stores: dict[str, FileStore]
    clock: Clock

    def sweep(self) -> None:
        """All the background work that there is now."""
        for _ in range(10_000):
            if not self.catalog.sweep():
                return
        raise AssertionError("the background work never ends")

    def make_flow(self, document: Json | None = None) -> str:
        document = document or flow()
        self.catalog.flows.put(CALLER, document["id"], document)
        flow_id: str = document["id"]
        return flow_id

    def allocate(self, flow_id: str, *object_ids: str, content: bytes | None = b"bytes", **members: Any) -> None:
        """Set these ids aside, and upload `content` for each."""
        self.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": list(object_ids), **members}, BASE)
        store = self.stores[members.get("storage_id", HOME)]
        for object_id in object_ids:
            if content is not None:
                store.write(object_id, "video/mp2t", iter([content]))

    def register(self, flow_id: str, *segments: Json) -> list[TamsError]:
        """Register segments; the refusals."""
        return [refusal for _, refusal in self.catalog.segments.register(CALLER, flow_id, segments)]

    def place(self, flow_id: str, object_id: str, timerange: str = "[0:0_1:0)", **members: Any) -> None:
        """Allocate, upload and register one object."""
        self.allocate(flow_id, object_id)
        assert self.register(flow_id, {"object_id": object_id, "timerange": timerange, **members}) == []

    def timeranges(self, flow_id: str) -> list[str]:
        """Those of the flow's segments."""
        page = self.catalog.segments.page(CALLER, flow_id, SegmentFilter(), PageRequest(1000), UrlFilter(), BASE)
        return [item["timerange"] for item in page.page.items]

    def delete_segments(self, flow_id: str, timerange: str = "_", object_id: str | None = None) -> Json | None:
        filters = SegmentFilter(parse_timerange(timerange), object_id)
        return self.catalog.deletions.delete_segments(CALLER, flow_id, filters)

    def object(self, object_id: str) -> ObjectPage:
        return self.catalog.objects.get(CALLER, object_id, ObjectQuery(urls=UrlFilter(verbose=True)), BASE)

    def is_shown(self, object_id: str) -> bool:
        try:
            self.object(object_id)
        except NotFound:
            return False
        return True

    def places(self, object_id: str) -> set[str]:
        """Backend ids of the instances that are shown."""
        return {each["storage_id"] for each in self.object(object_id).document["get_urls"]}

    def has_bytes(self, object_id: str, storage_id: str = HOME) -> bool:
        return self.stores[storage_id].stat(object_id) is not None


@contextmanager
def open_world(folder: Path, limits: Limits | None = None) -> Iterator[World]:
    """A world over an empty catalogue in `folder`."""
    engine = open_engine(f"sqlite:///{folder / 'catalog.db'}")
    engine.create()
    clock = Clock()
    stores = {
        id_: FileStore(
            folder / label,
            Backend(id_, label, "example", "files", default_storage=id_ == HOME),
            _SECRET,
            upload_timeout_s=600,
            download_timeout_s=600,
        )
        for id_, label in ((HOME, "home"), (SECOND_HOME, "second"))
    }
    yield World(Catalog(engine, stores, limits or Limits(), clock), stores, clock)
    engine.close()
