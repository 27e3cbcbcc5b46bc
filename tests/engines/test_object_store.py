"""What the catalogue relies on in every object store."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import NotFound
from storage.media.object_store import ObjectStore
from tests.engines.object_stores import KINDS, TYPE, new_store

PARTS_BYTES = 40_000_000
IDS = [
    "plain",
    "bucket/folder/key.ts",
    "dir",
    "dir/file",
    "dir/file/deeper",
    "a/b",
    "a//b",
    "/a/b",
    "a/b/",
    "//",
    "/",
    "back\\slash",
    "back/slash",
    "..",
    ".",
    "a/./b",
    "a/../../b",
    "100% /../../etc/passwd",
    "!..",
    "!2E!2E",
    "!",
    "!!",
    ".uploads/part",
    "some.versions",
    "naïve ☃ 🎞",
    "é",
    "e\u0301",
    "Case",
    "case",
    "a b+c?d=e&f#g",
    "%2F",
    "~'()*$,;:@=&<>\"`{}|^[]",
    "new\nline\0nul\r\ttab\x7f\x85",
    "\ufffe\uffff\u2028",
    "l" * 255,
    "l" * 256,
    "long" * 256,
    "é" * 1024,
    "🎞" * 1024,
    "🎞" * 1023 + "x",
    "\ud800 lone surrogate",
]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return new_store(request.param, tmp_path)


def write(store: ObjectStore, object_id: str, data: bytes, content_type: str = TYPE) -> None:
    stored = store.write(object_id, content_type, iter([data]))
    assert (stored.size, stored.content_type) == (len(data), content_type)
    assert store.stat(object_id) == stored


def read(store: ObjectStore, object_id: str) -> bytes:
    with store.open(object_id) as file:
        return file.read()


def fill(store: ObjectStore, object_ids: list[str]) -> None:
    for object_id in object_ids:
        write(store, object_id, _content(object_id))


def _content(object_id: str) -> bytes:
    return object_id.encode("utf-8", "surrogatepass")


def test_different_ids_are_different_objects(store: ObjectStore) -> None:
    fill(store, IDS)
    assert {object_id for object_id in IDS if read(store, object_id) != _content(object_id)} == set()


def test_deleting_one_object_keeps_the_others(store: ObjectStore) -> None:
    fill(store, IDS)
    for object_id in IDS[::2]:
        store.delete(object_id)
        assert store.stat(object_id) is None
    assert {object_id for object_id in IDS[1::2] if read(store, object_id) != _content(object_id)} == set()
    assert sorted(store.delete_many(IDS)) == sorted(IDS)
    assert [object_id for object_id in IDS if store.stat(object_id)] == []


def test_object_ids_lists_every_object_once(store: ObjectStore) -> None:
    assert list(store.object_ids()) == []
    fill(store, IDS)
    # Stores with limited keys use a digest as the key of the longest ids.
    listed = list(store.object_ids())
    assert len(listed) == len(set(listed))
    assert {object_id for object_id in IDS if len(object_id) <= 1023} - set(listed) == set()
    assert set(listed) <= set(IDS)


def test_many_objects_are_listed_and_deleted(store: ObjectStore) -> None:
    ids = [f"many/{number}" for number in range(1100)]
    for object_id in ids:
        store.write(object_id, TYPE, iter([b"x"]))
    write(store, "other", b"y")
    assert sorted(store.object_ids()) == sorted([*ids, "other"])
    removed = store.delete_many([*ids, "was never there"])
    assert sorted(removed) == sorted([*ids, "was never there"])
    assert list(store.object_ids()) == ["other"]
    assert store.delete_many([]) == []


@pytest.mark.parametrize("size", [0, 1, PARTS_BYTES])
def test_sizes_from_nothing_to_many_parts(store: ObjectStore, size: int) -> None:
    block = os.urandom(1_000_000)
    pieces = [block] * (size // len(block)) or [block[:size]]
    stored = store.write("object", "video/mp4", iter(pieces))
    assert stored.size == size
    assert store.stat("object") == stored
    with store.open("object") as file:
        digest = hashlib.sha256()
        while data := file.read(300_000):
            digest.update(data)
    assert digest.digest() == hashlib.sha256(b"".join(pieces)).digest()


def test_content_type_is_kept(store: ObjectStore) -> None:
    for content_type in ("video/mp4", "application/vnd.example+json", "image/svg+xml"):
        write(store, "object", b"bytes", content_type)
        stored = store.stat("object")
        assert stored is not None and stored.content_type == content_type


def test_missing_object(store: ObjectStore) -> None:
    assert store.stat("nothing") is None
    with pytest.raises(NotFound, match="'nothing'"):
        store.open("nothing")
    store.delete("nothing")
    with pytest.raises(NotFound):
        store.open("nothing")


def test_a_replacement_is_seen_by_files_opened_later(store: ObjectStore) -> None:
    write(store, "object", b"old")
    write(store, "object", b"newer", "video/mp4")
    assert read(store, "object") == b"newer"


@pytest.mark.parametrize("given", [10, PARTS_BYTES])
def test_a_failing_source_keeps_the_old_object(store: ObjectStore, given: int) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(0, given, 1_000_000):
            yield bytes(1_000_000)
        raise ConnectionError("the source broke")

    write(store, "object", b"old")
    for object_id in ("object", "another"):
        with pytest.raises(ConnectionError, match="the source broke"):
            store.write(object_id, "video/mp4", chunks())
    assert read(store, "object") == b"old"
    assert store.stat("another") is None
    assert list(store.object_ids()) == ["object"]


def test_concurrent_writers_leave_one_complete_object(store: ObjectStore) -> None:
    bodies = [bytes([number]) * (100_000 + number) for number in range(6)]
    wrong = []

    def upload(body: bytes) -> None:
        for _ in range(4):
            store.write("object", TYPE, iter([body[:50_000], body[50_000:]]))
            if read(store, "object") not in bodies:
                wrong.append(body)

    threads = [threading.Thread(target=upload, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    final = read(store, "object")
    stored = store.stat("object")
    assert stored is not None and stored.etag == hashlib.md5(final).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("object_id", ["plain", "odd/../é \\!", "🎞" * 1024], ids=["plain", "odd", "long"])
def test_copies_are_made_by_the_store_or_left_to_the_caller(
    store: ObjectStore, kind: str, object_id: str, tmp_path: Path
) -> None:
    target = new_store(kind, tmp_path)
    data = os.urandom(100_000)
    write(store, object_id, data, "video/x-odd")
    if not target.copy_from(store, object_id):
        with store.open(object_id) as file:
            target.write(object_id, "video/x-odd", iter(lambda: file.read(30_000), b""))
    assert read(target, object_id) == data
    assert target.stat(object_id) == store.stat(object_id)
    store.delete(object_id)
    assert read(target, object_id) == data


def test_check_passes_for_a_working_store(store: ObjectStore) -> None:
    store.check()
    assert store.remove_abandoned() == 0
