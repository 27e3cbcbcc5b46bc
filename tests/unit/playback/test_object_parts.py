"""How much one process reads of objects to find parts of them, and what it keeps."""

import io
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from storage.catalog.environment import Environment
from storage.catalog.playback import object_content
from storage.catalog.playback.kept import KEEP_S
from storage.catalog.playback.object_content import Deadline, Instances
from storage.catalog.playback.object_parts import ObjectParts, PartSample
from storage.catalog.playback.readings import Readings
from storage.errors import Unavailable
from storage.media.object_store import ObjectStore, StoredObject
from storage.playback.media_segment import MediaSegment, Part
from storage.tables.engine import Engine
from storage.timerange import NS
from tests.conformance.kit.documents import VIDEO, flow
from tests.unit.catalogs import DEFAULT_BACKEND, Clock
from tests.unit.playback.transport_packets import key_frame

MEDIA = b"".join(key_frame(90_000 * second) for second in range(4))
PIECE = len(MEDIA) // 4


class _Store:
    """Holds the same media under each name. reads: what has been opened. slow: blocks until it may go on."""

    is_remote = False

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.media = MEDIA
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def stat(self, name: str) -> StoredObject:
        return StoredObject(len(self.media), "video/mp2t", "etag")

    def open(self, name: str) -> io.BytesIO:
        self.reads.append(name)
        assert self.may_go_on.wait(60)
        return io.BytesIO(self.media)


@pytest.fixture
def store() -> Iterator[_Store]:
    found = _Store()
    yield found
    found.may_go_on.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(store: _Store, clock: Clock) -> ObjectParts:
    stores = {DEFAULT_BACKEND: cast(ObjectStore, store)}
    return Readings(Environment(cast(Engine, None), stores, clock=clock)).parts


def sample(*seconds: int, names: str = "a") -> PartSample:
    """A part of one second of each object, from each of these seconds on."""
    document = flow(VIDEO)
    instances = {id_: cast(Any, {"object_id": id_, "storage_id": DEFAULT_BACKEND, "extension": ""}) for id_ in names}
    found = [
        Part(MediaSegment(n * NS, (n + 1) * NS, id_), 0, 4 * NS, n * NS, (n + 1) * NS) for id_ in names for n in seconds
    ]
    return PartSample(cast(Any, {"id": document["id"], "doc": document}), found, Instances(instances))


def test_an_object_is_read_once_for_all_its_parts(parts: ObjectParts, store: _Store, clock: Clock) -> None:
    [first] = parts.find(sample(0), Deadline())
    [second, third] = parts.find(sample(1, 2), Deadline())
    assert store.reads == ["a"]
    assert [each.byte_range for each in (first, second, third)] == [
        (PIECE * n, PIECE * (n + 1) + 2 * 188) for n in range(3)
    ]
    clock.forward(KEEP_S)
    parts.find(sample(0), Deadline())
    assert store.reads == ["a", "a"]


def test_what_cannot_be_told_is_a_gap(parts: ObjectParts, store: _Store) -> None:
    store.media = b"no media"
    assert [(each.is_gap, each.byte_range) for each in parts.find(sample(0), Deadline())] == [(True, None)]


def test_an_object_that_takes_all_the_time_is_given_up(
    parts: ObjectParts, store: _Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next request can go on with the others."""
    monkeypatch.setattr(object_content, "PROCESSOR_S", 0.001)
    store.media = b"\x47\x1f\xff\x10".ljust(188) * 100_000
    with pytest.raises(Unavailable):
        parts.find(sample(0, names="a"), Deadline())
    assert parts.find(sample(0, names="a"), Deadline())[0].is_gap
    assert store.reads == ["a"]


def test_few_read_at_a_time_and_others_get_what_is_kept(parts: ObjectParts, store: _Store) -> None:
    parts.find(sample(0, names="k"), Deadline())
    store.may_go_on.clear()
    failed = threading.Semaphore(0)
    found = []

    def find(name: str) -> None:
        try:
            found.extend(parts.find(sample(0, names=name), Deadline()))
        except Unavailable:
            failed.release()

    threads = [threading.Thread(target=find, args=(name,)) for name in "abcdefghij"]
    for each in threads:
        each.start()
    assert all(failed.acquire(timeout=30) for _ in range(8))
    assert [each.byte_range for each in parts.find(sample(0, names="k"), Deadline())] == [(0, PIECE + 2 * 188)]
    store.may_go_on.set()
    for each in threads:
        each.join()
    assert len(found) == 2
    assert len(store.reads) == 3
