"""FileStore on real files: durability, damage, concurrency, and its URLs."""

import errno
import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import NotFound, Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, DamagedObject, ObjectStore, StoredObject

BACKEND = Backend("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "disc", "example", "files")
SECRET = b"0123456789abcdef"

IDS = [
    "plain",
    "bucket/folder/key.ts",
    "100% /../../etc/passwd",
    "..",
    ".",
    "!..",
    "naïve ☃ 🎞",
    "a b+c?d=e&f#g",
    "%2F",
    "new\nline\0nul",
    "long" * 2000,
    "\ud800 lone surrogate",
]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return open_store(tmp_path)


def open_store(root: Path) -> FileStore:
    return FileStore(root, BACKEND, SECRET, upload_timeout_s=300, download_timeout_s=600)


def write(store: FileStore, object_id: str, data: bytes, content_type: str = "video/mp2t") -> StoredObject:
    return store.write(object_id, content_type, iter([data]))


def read(store: FileStore, object_id: str) -> bytes:
    with store.open(object_id) as file:
        return file.read()


def incoming(root: Path) -> list[Path]:
    return list((root / "incoming").iterdir())


def test_a_forgotten_method_is_an_error_at_construction(tmp_path: Path) -> None:
    incomplete = type("Incomplete", (FileStore,), {"check": ObjectStore.check})
    with pytest.raises(TypeError, match="check"):
        incomplete(tmp_path, BACKEND, SECRET, upload_timeout_s=300, download_timeout_s=600)


@pytest.mark.parametrize("object_id", IDS, ids=range(len(IDS)))
def test_bytes_and_description_are_read_as_written_for_every_id(store: FileStore, object_id: str) -> None:
    data = object_id.encode("utf-8", "surrogatepass")
    expected = StoredObject(len(data), "video/mp2t", hashlib.md5(data).hexdigest())
    assert store.stat(object_id) is None
    assert write(store, object_id, data) == expected
    assert store.stat(object_id) == expected
    assert read(store, object_id) == data


def test_no_file_leaves_the_root(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "root"
    store = open_store(root)
    for object_id in IDS:
        write(store, object_id, b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and root not in path.parents] == []


@pytest.mark.parametrize("size", [0, 1, 20_000_000])
def test_sizes_from_nothing_to_large(store: FileStore, size: int) -> None:
    block = os.urandom(1_000_000)
    pieces = [block] * (size // len(block)) or [block[:size]]
    stored = store.write("object", "video/mp4", iter(pieces))
    assert stored.size == size
    assert read(store, "object") == b"".join(pieces)


def test_bytes_that_look_like_a_description_are_not_taken_for_one(store: FileStore, tmp_path: Path) -> None:
    write(store, "one", b"first")
    (path,) = (path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    disguise = path.read_bytes()
    write(store, "two", disguise)
    assert read(store, "two") == disguise


def test_open_file_can_seek(store: FileStore) -> None:
    write(store, "object", b"0123456789")
    with store.open("object") as file:
        assert file.seek(-3, os.SEEK_END) == 7
        assert file.read() == b"789"
        assert file.read() == b""
        file.seek(2)
        assert file.read(2) == b"23"
        assert file.tell() == 4
        with pytest.raises(ValueError, match="before the first byte"):
            file.seek(-100, os.SEEK_SET)


def test_missing_object(store: FileStore) -> None:
    with pytest.raises(NotFound, match="'nothing'"):
        store.open("nothing")
    assert store.stat("nothing") is None
    store.delete("nothing")


def test_open_files_survive_replacing_and_deleting(store: FileStore) -> None:
    write(store, "object", b"old")
    with store.open("object") as before:
        write(store, "object", b"newer", "video/mp4")
        with store.open("object") as after:
            store.delete("object")
            assert before.read() == b"old"
            assert after.read() == b"newer"
    assert store.stat("object") is None


def test_object_ids_lists_the_objects_with_bytes(store: FileStore, tmp_path: Path) -> None:
    assert list(store.object_ids()) == []
    for object_id in IDS:
        write(store, object_id, b"x")
    store.begin("under way", "video/mp4").add(b"x")
    store.delete(IDS[0])
    (tmp_path / "objects" / ".DS_Store").write_bytes(b"x")
    assert sorted(store.object_ids()) == sorted(IDS[1:])


def test_another_process_sees_the_same_objects(store: FileStore, tmp_path: Path) -> None:
    write(store, "object", b"bytes")
    assert read(open_store(tmp_path), "object") == b"bytes"


@pytest.mark.parametrize("cut", [1, 16, 40])
def test_a_damaged_file_is_an_outage_not_a_missing_object(
    store: FileStore, tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    write(store, "object", b"bytes")
    (path,) = (path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    os.truncate(path, path.stat().st_size - cut)
    with pytest.raises(Unavailable, match="damaged"):
        store.stat("object")
    assert list(store.object_ids()) == []
    assert "damaged" in caplog.text


def test_the_file_of_another_object_is_damage(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    """As a backup that was put back under wrong names leaves it."""
    for object_id in ("one", "two"):
        store.write(object_id, "video/mp2t", iter([object_id.encode()]))
    store.file_of("two").write_bytes(store.file_of("one").read_bytes())
    for read in (store.stat, store.open):
        with pytest.raises(DamagedObject, match="another object"):
            read("two")
    assert store.open("one").read() == b"one"
    assert str(store.file_of("two")) in caplog.text


def test_a_lost_folder_is_an_outage_not_an_empty_store(store: FileStore, tmp_path: Path) -> None:
    write(store, "object", b"bytes")
    (tmp_path / "objects").rename(tmp_path / "elsewhere")
    for call in (
        lambda: store.stat("object"),
        lambda: store.open("object"),
        lambda: store.delete("object"),
        lambda: list(store.object_ids()),
        lambda: write(store, "object", b"x"),
    ):
        with pytest.raises(Unavailable, match=BACKEND.id):
            call()
    assert incoming(tmp_path) == []


def test_empty_folders_can_be_deleted(store: FileStore, tmp_path: Path) -> None:
    write(store, "object", b"bytes")
    store.delete("object")
    for folder in sorted((tmp_path / "objects").rglob("*"), reverse=True):
        folder.rmdir()
    write(store, "object", b"again")
    assert read(store, "object") == b"again"


@pytest.mark.parametrize("failing", ["write", "fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_or_broken_disk_keeps_the_old_object(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, code: int
) -> None:
    write(store, "object", b"old")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(Unavailable, match=os.strerror(code)):
            write(store, "object", b"new")
    assert read(store, "object") == b"old"
    assert incoming(tmp_path) == []


class Crash(BaseException):
    pass


@pytest.mark.parametrize("survived", range(8))
def test_a_crash_at_any_step_leaves_one_complete_object(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    write(store, "object", b"old", "video/old")
    steps = itertools.count()

    def crash_after(real: str) -> None:
        function = getattr(os, real)

        def step(*arguments: object) -> object:
            if next(steps) >= survived:
                raise Crash
            return function(*arguments)

        monkeypatch.setattr(os, real, step)

    for name in ("write", "fsync", "rename", "unlink", "close"):
        crash_after(name)
    try:
        upload = store.begin("object", "video/new")
        upload.add(b"new bytes")
        upload.commit()
    except Crash:
        pass
    monkeypatch.undo()
    found = (read(open_store(tmp_path), "object"), store.stat("object"))
    old = (b"old", StoredObject(3, "video/old", hashlib.md5(b"old").hexdigest()))
    new = (b"new bytes", StoredObject(9, "video/new", hashlib.md5(b"new bytes").hexdigest()))
    assert found in (old, new)
    assert found == (new if survived >= 4 else old)


def test_a_failing_source_stores_nothing(store: FileStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("the source broke")

    with pytest.raises(ConnectionError, match="the source broke"):
        store.write("object", "video/mp4", chunks())
    assert store.stat("object") is None
    assert incoming(tmp_path) == []


def test_concurrent_writers_leave_one_complete_object(store: FileStore, tmp_path: Path) -> None:
    bodies = [bytes([number]) * (100_000 + number) for number in range(8)]

    def upload(body: bytes) -> None:
        for _ in range(5):
            store.write("object", "video/mp4", (body[at : at + 10_000] for at in range(0, len(body), 10_000)))
            assert read(store, "object") in bodies

    threads = [threading.Thread(target=upload, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = read(store, "object")
    assert final in bodies
    stored = store.stat("object")
    assert stored is not None and stored.etag == hashlib.md5(final).hexdigest()
    assert incoming(tmp_path) == []
