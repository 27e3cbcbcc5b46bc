"""The reserve of free space: additions are refused in time, while reads and deletions go on."""

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage.errors import Unavailable
from storage.free_space import FreeSpace
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables import open_engine
from storage.tables.conditions import equals
from tests.unit.catalogs import CALLER, open_world

RESERVE = 10 * 2**20


class Disk:
    """What statvfs says. free: bytes."""

    def __init__(self) -> None:
        self.free = 2 * RESERVE

    def statvfs(self, _path: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free // 4096, f_frsize=4096)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    monkeypatch.setattr("storage.free_space._CACHED_S", 0)
    return disk


def test_less_than_the_reserve_is_an_outage(disk: Disk, tmp_path: Path) -> None:
    space = FreeSpace(tmp_path, RESERVE, "the disk")
    space.require()
    disk.free = RESERVE - 4096
    with pytest.raises(Unavailable, match="the disk is full: less than 10 MiB"):
        space.require()
    FreeSpace(tmp_path, 0, "the disk").require()
    disk.free = RESERVE
    space.require()


def test_a_full_catalogue_takes_no_new_resources_but_changes_and_deletions(disk: Disk, tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "catalog.db", reserve=RESERVE)
    engine.create()
    with engine.write() as tx:
        tx.insert("object_refs", [{"object_id": "o", "flow_id": "f", "segments": 1}])
        tx.insert("objects", [{"id": "o", "state": "media", "flow_id": "f", "created": 0}])
    disk.free = 0
    with pytest.raises(Unavailable, match="full"), engine.write() as tx:
        tx.insert("objects", [{"id": "p", "state": "media", "flow_id": "f", "created": 0}])
    with pytest.raises(Unavailable, match="full"):
        engine.check_space()
    with engine.write() as tx:
        tx.update("object_refs", equals(object_id="o"), {"segments": 2})
        tx.insert("garbage", [{"storage_id": "s", "object_id": "o", "due": 0}])
        tx.delete("objects", equals(id="o"))
    with engine.read() as tx:
        assert tx.select("objects") == []
        assert len(tx.select("garbage")) == 1


def test_a_full_folder_takes_no_bytes_but_serves_and_deletes(disk: Disk, tmp_path: Path) -> None:
    backend = Backend("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "disc", "example", "files")
    store = FileStore(
        tmp_path, backend, b"0123456789abcdef", upload_timeout_s=300, download_timeout_s=600, reserve=RESERVE
    )
    store.write("object", "video/mp2t", iter([b"bytes"]))
    upload = store.begin("begun", "video/mp2t")
    disk.free = 0
    with pytest.raises(Unavailable, match="full"):
        store.begin("new", "video/mp2t")
    with pytest.raises(Unavailable, match="full"):
        upload.add(b"more")
    with pytest.raises(Unavailable, match="full"):
        store.check()
    upload.abort()
    assert store.open("object").read() == b"bytes"
    store.delete("object")
    assert list(store.object_ids()) == []
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("kind", ["flow", "source", "segment"])
def test_a_full_catalogue_takes_no_more_tags_but_removes_some(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with open_world(tmp_path) as world:
        monkeypatch.setattr(world.engine, "_space", FreeSpace(tmp_path, RESERVE, "the disk"))
        flow_id, catalog = world.make_flow(), world.catalog
        source_id = catalog.flows.get(CALLER, flow_id)["source_id"]
        url = {"label": "elsewhere", "url": "https://media.example.com/o"}
        assert world.register(flow_id, {"object_id": "o", "timerange": "[0:0_1:0)", "get_urls": [url]}) == []
        set_tag, delete_tag = {
            "flow": (
                partial(catalog.flows.set_tag, CALLER, flow_id),
                partial(catalog.flows.delete_tag, CALLER, flow_id),
            ),
            "source": (
                partial(catalog.sources.set_tag, CALLER, source_id),
                partial(catalog.sources.delete_tag, CALLER, source_id),
            ),
            "segment": (
                partial(catalog.segment_tags.set, CALLER, flow_id, "[0:0_1:0)"),
                partial(catalog.segment_tags.delete, CALLER, flow_id, "[0:0_1:0)"),
            ),
        }[kind]
        set_tag("shot", ["wide", "night"])
        set_tag("kept", "yes")
        disk.free = 0
        with pytest.raises(Unavailable, match="full"):
            set_tag("new", "yes")
        with pytest.raises(Unavailable, match="full"):
            set_tag("kept", ["yes", "no"])
        set_tag("kept", "no")
        delete_tag("shot")
