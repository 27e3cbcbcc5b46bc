"""For whom and how long measurements of flows are kept."""

import io
from itertools import pairwise
from typing import Any, cast

from storage.catalog.environment import Environment
from storage.catalog.playback.kept import KEEP_INCOMPLETE_S, KEEP_S, Kept
from storage.catalog.playback.measurements import Measurement, Measurements, Sample
from storage.catalog.playback.object_content import Instances
from storage.media.object_store import ObjectStore, StoredObject
from storage.playback.media_segment import MediaSegment
from storage.tables.engine import Engine
from storage.timerange import NS
from tests.conformance.kit.documents import AUDIO, Json, flow
from tests.unit.catalogs import DEFAULT_BACKEND, Clock

# One packet of a transport stream, which begins a stream of AAC in ADTS.
_ADTS = b"\0\0\1\xc0\0\0\x80\0\0\xff\xf1\x50\x80"
_MEDIA = (b"\x47\x41\0\x10" + _ADTS).ljust(188, b"\xff")


class _Store:
    """Holds one object, or none yet. reads: how often it has been read."""

    is_remote = False

    def __init__(self) -> None:
        self.media: bytes | None = _MEDIA
        self.reads = 0

    def stat(self, name: str) -> StoredObject | None:
        return None if self.media is None else StoredObject(len(self.media), "video/mp2t", "etag")

    def open(self, name: str) -> io.BytesIO:
        self.reads += 1
        return io.BytesIO(self.media or b"")


class _World:
    def __init__(self) -> None:
        self.store, self.clock = _Store(), Clock()
        stores = {DEFAULT_BACKEND: cast(ObjectStore, self.store)}
        self._measurements = Measurements(Environment(cast(Engine, None), stores, clock=self.clock))

    def measure(self, document: Json, backends: frozenset[str] | None = None, *ends: int) -> Measurement:
        """What is measured of a second of media, and of segments that follow it until `ends`, in ns."""
        instance = {"object_id": "a", "storage_id": DEFAULT_BACKEND, "extension": ""}
        instances = {"a": cast(Any, instance)} if backends is None or DEFAULT_BACKEND in backends else {}
        row = cast(Any, {"id": document["id"], "doc": document})
        segments = [MediaSegment(start, end, "a") for start, end in pairwise((0, NS, *ends))]
        return self._measurements.measure(Sample(row, segments, Instances(instances, backends), {}))


def sound(**members: Any) -> Json:
    return flow(AUDIO, metadata_version="1", metadata_updated="2026-11-29T12:00:00Z", **members)


def test_a_complete_measurement_is_kept() -> None:
    world, document = _World(), sound()
    found = world.measure(document)
    assert (found.codecs, found.peak) == (["mp4a.40.2"], 8 * len(_MEDIA))
    world.clock.forward(KEEP_S - 1)
    assert world.measure(document) == found
    assert world.store.reads == 1
    world.clock.forward(1)
    world.measure(document)
    assert world.store.reads == 2


def test_a_last_segment_of_one_sample_is_no_peak() -> None:
    assert _World().measure(sound(), None, NS + NS // 48_000).peak <= 2 * 8 * len(_MEDIA)


def test_callers_who_may_not_read_the_media_measure_for_themselves() -> None:
    world, document = _World(), sound()
    assert world.measure(document, frozenset()).codecs == []
    found = world.measure(document)
    assert found.codecs == ["mp4a.40.2"]
    assert world.measure(document, frozenset()).codecs == []


def test_what_lacks_something_is_measured_again_soon() -> None:
    world, document = _World(), sound()
    world.store.media = None
    assert world.measure(document).codecs == []
    world.store.media = _MEDIA
    assert world.measure(document).codecs == []
    world.clock.forward(KEEP_INCOMPLETE_S)
    assert world.measure(document).codecs == ["mp4a.40.2"]


def test_a_change_of_the_metadata_counts_at_once() -> None:
    world, document = _World(), sound()
    before = world.measure(document)
    later = {**document, "metadata_updated": "2026-11-29T12:00:01Z", "max_bit_rate": 500.0}
    found = world.measure(later)
    assert (before.peak, found.peak) == (8 * len(_MEDIA), 500_000)
    assert isinstance(found.peak, int)
    assert world.measure({**later, "metadata_version": "2", "codec": "audio/ac3"}).codecs == ["ac-3"]


def test_only_the_oldest_goes_when_there_is_no_room() -> None:
    kept: Kept[str] = Kept(Clock(), 3)
    for name in ("a", "b", "c", "a", "d"):
        kept.put(name, name, complete=True)
    assert [kept.get(name) for name in "abcd"] == ["a", None, "c", "d"]
    kept.put("large", "large", complete=True, size=2)
    assert [kept.get(name) for name in ("a", "c", "d", "large")] == [None, None, "d", "large"]
