"""Backups in a folder: which are kept, which are removed, and what never looks like one."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog.backup.folder_place import FolderPlace
from storage.catalog.backup.manifest import MANIFEST, Manifest
from storage.catalog.backup.media_files import entries
from storage.catalog.backup.place import find_backup
from storage.catalog.backup.restore import restore_backup, verify_backup
from storage.catalog.backup.take import take_backup
from storage.catalog.service import load_identity
from storage.errors import Invalid
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend
from storage.tables import open_engine
from storage.tables.engine import Engine

HOUR = 3_600_000_000
BACKEND = Backend("b" * 8, None, "test", "files")
IDS = ["one", "two", "three"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "catalogue.sqlite")
    engine.create()
    load_identity(engine)
    yield engine
    engine.close()


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    return FolderPlace(tmp_path / "backups")


def silent(_what: str, _count: int) -> None:
    """Ignore the progress."""


def take(engine: Engine, place: FolderPlace, hour: int = 0, installation: str = "ours", **options: Any) -> Manifest:
    manifest, _ = take_backup(
        engine,
        place,
        installation=installation,
        version="1",
        progress=silent,
        clock=lambda: HOUR * (490_000 + hour),
        **options,
    )
    return manifest


def names(place: FolderPlace) -> list[str]:
    return [manifest.name for manifest in place.backups()]


def test_only_the_oldest_complete_backups_of_the_same_installation_are_removed(
    engine: Engine, place: FolderPlace, tmp_path: Path
) -> None:
    others = [take(engine, place, hour, "theirs").name for hour in range(2)]
    ours = [take(engine, place, hour).name for hour in range(4)]
    incomplete = tmp_path / "backups" / ours[1].replace("Z-", "1Z-")[1:]
    kept_by_hand = tmp_path / "backups" / "before-the-upgrade"
    damaged = tmp_path / "backups" / ours[0]
    (damaged / MANIFEST).unlink()
    for folder in (incomplete, kept_by_hand):
        folder.mkdir()
    last = take(engine, place, 5, keep=2).name
    assert names(place) == sorted([*others, ours[3], last])
    assert damaged.exists()
    assert incomplete.exists()
    assert kept_by_hand.exists()


def test_the_newest_backup_stays_the_newest_when_the_clock_goes_back(engine: Engine, place: FolderPlace) -> None:
    take(engine, place, 10)
    later = take(engine, place, 3, keep=1)
    assert names(place) == [later.name]
    assert find_backup(place).name == later.name


def test_two_backups_of_one_installation_do_not_run_at_once(engine: Engine, place: FolderPlace) -> None:
    with place.adding("ours"):
        with pytest.raises(Invalid, match="is running"):
            take(engine, place)
        take(engine, place, installation="theirs")
    take(engine, place)


def test_a_backup_that_fails_leaves_nothing(engine: Engine, place: FolderPlace, tmp_path: Path) -> None:
    def fail(_what: str, _count: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        take_backup(engine, place, installation="ours", version="1", progress=fail)
    assert {path.name.partition("-")[0] for path in (tmp_path / "backups").iterdir()} == {".lock"}


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])


def _change(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [_truncate, _change, Path.unlink])
@pytest.mark.parametrize("file", ["catalogue/service.parquet", "catalogue/manifest.json"])
def test_damage_is_found_before_anything_is_restored(
    engine: Engine, place: FolderPlace, damage: Callable[[Path], None], file: str
) -> None:
    manifest = take(engine, place)
    with place.reading(manifest) as folder:
        damage(folder / file)
        with pytest.raises(Invalid, match="damaged"):
            verify_backup(folder, manifest, silent, media=False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "tams-server backup 1", "name": "../../etc"}',
        b'{"format": "tams-server backup 2", "name": "20260101T000000.000000Z-00000000"}',
    ],
)
def test_a_folder_with_another_manifest_is_no_backup(
    engine: Engine, place: FolderPlace, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = take(engine, place)
    with place.reading(manifest) as folder, caplog.at_level(logging.WARNING):
        (folder / MANIFEST).write_bytes(text)
        assert place.backups() == []
    assert manifest.name in caplog.text
    with pytest.raises(Invalid, match="is damaged"):
        find_backup(place)


@pytest.mark.parametrize("damage", [_truncate, Path.unlink])
def test_an_earlier_backup_does_not_take_the_place_of_the_newest_if_that_is_damaged(
    engine: Engine, place: FolderPlace, damage: Callable[[Path], None]
) -> None:
    earlier, newest = take(engine, place, 1), take(engine, place, 2)
    with place.reading(newest) as folder:
        damage(folder / MANIFEST)
    for name in ("", newest.name):
        with pytest.raises(Invalid, match=f"{newest.name} .* is damaged"):
            find_backup(place, name)
    assert find_backup(place, earlier.name) == earlier
    assert take(engine, place, 3) == find_backup(place)


def test_a_manifest_names_no_file_outside_the_backup(engine: Engine, place: FolderPlace) -> None:
    text = take(engine, place).to_json()
    for path in (b"/etc/passwd", b"../x", b"catalogue/../../x"):
        with pytest.raises(Invalid, match="outside"):
            Manifest.from_json(text.replace(b"catalogue/service.parquet", path))


def test_backups_of_several_installations_are_restored_by_name_only(engine: Engine, place: FolderPlace) -> None:
    ours, theirs = take(engine, place, 1), take(engine, place, 2, "theirs")
    with pytest.raises(Invalid, match="several installations"):
        find_backup(place)
    assert find_backup(place, ours.name) == ours
    assert find_backup(place, theirs.name) == theirs


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return new_store(tmp_path / "media")


def new_store(folder: Path) -> FileStore:
    return FileStore(folder, BACKEND, bytes(16), upload_timeout_s=600, download_timeout_s=600)


def add_media(engine: Engine, store: FileStore, object_id: str) -> None:
    store.write(object_id, "video/mp2t", iter([object_id.encode() * 100]))
    with engine.write() as tx:
        row = {"object_id": object_id, "instance": BACKEND.id, "storage_id": BACKEND.id, "created": 1}
        tx.insert("instances", [row])  # type: ignore[typeddict-item,list-item]


def inode(path: Path) -> int:
    return path.stat().st_ino


def files_of(place: FolderPlace, manifest: Manifest) -> dict[str, Path]:
    with place.reading(manifest) as folder:
        return {entry.object_id: folder / entry.path for entry in entries(folder)}


def no_links_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `folder` be on another file system."""
    link = os.link

    def across(source: Path, target: Path) -> None:
        if Path(source).is_relative_to(folder) != Path(target).is_relative_to(folder):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", across)


def test_media_are_hard_links_on_the_same_file_system(engine: Engine, place: FolderPlace, store: FileStore) -> None:
    for object_id in IDS:
        add_media(engine, store, object_id)
    store.write("unknown to the catalogue", "video/mp2t", iter([b"bytes"]))
    manifest = take(engine, place, file_stores={BACKEND.id: store})
    files = files_of(place, manifest)
    assert files.keys() == set(IDS)
    assert manifest.media == len(IDS)
    assert all(inode(file) == inode(store.file_of(object_id)) for object_id, file in files.items())


def test_media_on_another_file_system_are_copied_once(
    engine: Engine, place: FolderPlace, store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_links_from(tmp_path / "media", monkeypatch)
    add_media(engine, store, "one")
    first = files_of(place, take(engine, place, 1, file_stores={BACKEND.id: store}))
    add_media(engine, store, "two")
    second = files_of(place, take(engine, place, 2, file_stores={BACKEND.id: store}))
    assert inode(first["one"]) not in (inode(store.file_of("one")),)
    assert inode(second["one"]) == inode(first["one"])
    assert second["two"].read_bytes() == store.file_of("two").read_bytes()


def test_bytes_that_are_deleted_or_arrive_during_a_backup_are_in_it_if_the_catalogue_is(
    engine: Engine, place: FolderPlace, store: FileStore
) -> None:
    add_media(engine, store, "deleted")

    def change(what: str, _count: int) -> None:
        if what == "service":
            store.delete("deleted")
        if what == "media files":
            add_media(engine, store, "arrived")

    manifest, _ = take_backup(
        engine, place, installation="ours", version="1", progress=change, file_stores={BACKEND.id: store}
    )
    assert files_of(place, manifest).keys() == {"deleted", "arrived"}


@pytest.mark.parametrize("linked", [True, False])
def test_media_are_restored_and_those_that_are_there_are_kept(
    engine: Engine, place: FolderPlace, store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    for object_id in IDS:
        add_media(engine, store, object_id)
    manifest = take(engine, place, file_stores={BACKEND.id: store})
    if not linked:
        no_links_from(tmp_path / "backups", monkeypatch)
    new = new_store(tmp_path / "new")
    new.write("one", "video/mp2t", iter([b"there already"]))
    new.write("two", "video/mp2t", iter([b"will be damaged"]))
    _truncate(new.file_of("two"))
    empty = open_engine(tmp_path / "empty.sqlite")
    empty.create()
    with place.reading(manifest) as folder:
        verify_backup(folder, manifest, silent, media=True)
        assert restore_backup(empty, folder, manifest, silent, {BACKEND.id: new}) == len(IDS)
    empty.close()
    assert new.open("one").read() == b"there already"
    assert new.open("two").read() == b"two" * 100
    assert set(new.object_ids()) == set(IDS)


def test_damaged_media_are_found(engine: Engine, place: FolderPlace, store: FileStore) -> None:
    add_media(engine, store, "one")
    manifest = take(engine, place, file_stores={BACKEND.id: store})
    [file] = files_of(place, manifest).values()
    _change(file)
    with place.reading(manifest) as folder:
        verify_backup(folder, manifest, silent, media=False)
        with pytest.raises(Invalid, match="damaged"):
            verify_backup(folder, manifest, silent, media=True)
