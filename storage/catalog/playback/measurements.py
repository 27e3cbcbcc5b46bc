"""Codecs and bit rates of flows, as far as their metadata does not state them: read from some of their objects.

They are kept for each version of a flow, since they hardly ever change, and for each set of storage backends that
callers may read, since they come from the media on these.
"""

import threading
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter, read_instances
from storage.catalog.objects.instances import instance_name
from storage.catalog.playback.flow_media import SEGMENT_COLUMNS, overlapping
from storage.errors import NotFound
from storage.playback.codecs import HEAD_BYTES, codecs_of_flow, codecs_of_init, codecs_of_transport_stream
from storage.playback.essence import whole_number
from storage.playback.media_segment import MediaSegment, media_segment, slack_of
from storage.tables.conditions import In
from storage.tables.rows import FlowRow, InstanceRow
from storage.tables.transaction import Reader
from storage.timerange import NS, TimeRange
from storage.waiting import about_to_wait_for_others

KEEP_S: Final = 600
KEEP_INCOMPLETE_S: Final = 15
"""How long a measurement is kept that lacks something, as of media that have not been uploaded yet."""
_MOST_KEPT: Final = 1000
_SAMPLES: Final = 20
_SAMPLES_ELSEWHERE: Final = 5
"""Of a store that is another server, which is asked for the size of each object."""
_KILOBIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """Some segments of a flow, the first of a timerange first; with instances of their objects, and known sizes.

    backends: as for GetUrlFilter, those on which the instances may be.
    """

    flow: FlowRow
    segments: Sequence[MediaSegment]
    instances: Mapping[str, InstanceRow]
    sizes: Mapping[str, int]
    backends: frozenset[str] | None = None

    @property
    def key(self) -> Hashable:
        """The same for samples of which the media are the same."""
        doc = self.flow["doc"]
        # Clients choose versions, and may choose an earlier one again.
        return self.flow["id"], doc.get("metadata_version"), doc.get("metadata_updated"), self.backends


@dataclass(frozen=True, slots=True)
class Measurement:
    """codecs: as in RFC 6381; empty if they cannot be known. peak, average: bit rates in bit/s."""

    codecs: Sequence[str]
    peak: int
    average: int


def read_sample(
    tx: Reader, env: Environment, flow: FlowRow, timerange: TimeRange, filters: GetUrlFilter
) -> Sample | None:
    """The first segment of a timerange and the last ones; None if there are none that can be played whole."""
    where = overlapping(flow, timerange)
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=SEGMENT_COLUMNS)
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=_SAMPLES, columns=SEGMENT_COLUMNS)
    slack = slack_of(flow["doc"])
    starts = {row["start_ns"] for row in first}
    rows = [*first, *(row for row in last if row["start_ns"] not in starts)]
    found = [media_segment(row, slack) for row in rows]
    segments = [each for each in found if each is not None]
    if not segments:
        return None
    ids = list({id_ for each in segments for id_ in (each.object_id, each.init_object_id) if id_})
    readable = {id_: store for id_, store in env.stores.items() if filters.passes_store(store)}
    rows_of_instances = read_instances(tx, env, ids, filters)
    instances = {row["object_id"]: row for row in rows_of_instances if row["storage_id"] in readable}
    sizes = tx.select("instances", [In("object_id", ids)], columns=["object_id", "size"])
    known = {row["object_id"]: row["size"] for row in sizes if row["size"]}
    return Sample(flow, segments, instances, known, filters.backends)


class Measurements:
    """The measurements of one process, kept for KEEP_S if nothing is missing in them."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[int, Measurement]] = {}

    def measure(self, sample: Sample) -> Measurement:
        """The codecs and bit rates of a flow. Reads from its stores what the catalogue does not say."""
        now = self._env.clock() // 1_000_000
        with self._lock:
            kept = self._kept.get(sample.key)
        if kept is not None and 0 < kept[0] - now <= KEEP_S:
            return kept[1]
        doc = sample.flow["doc"]
        codecs = codecs_of_flow(doc) or self._read_codecs(sample)
        rates = self._rates(sample)
        stated_peak, stated_average = (
            (whole_number(doc.get(name)) or 0) * _KILOBIT for name in ("max_bit_rate", "avg_bit_rate")
        )
        average = stated_average or _mean(rates)
        found = Measurement(codecs, max(stated_peak, average, *(rate for rate, _ in rates), 1), max(average, 1))
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[sample.key] = now + (KEEP_S if codecs and rates else min(KEEP_S, KEEP_INCOMPLETE_S)), found
        return found

    def _read_codecs(self, sample: Sample) -> Sequence[str]:
        segment = sample.segments[0]
        if segment.init_object_id is not None:
            return codecs_of_init(self._read(sample, segment.init_object_id))
        if sample.flow["doc"].get("container") == "video/mp2t":
            return codecs_of_transport_stream(self._read(sample, segment.object_id))
        return []

    def _read(self, sample: Sample, object_id: str) -> bytes:
        """The beginning of an object; empty if there is none in a store of this service."""
        row = sample.instances.get(object_id)
        if row is None or row["storage_id"] is None:
            return b""
        store = self._env.stores[row["storage_id"]]
        if store.is_remote:
            about_to_wait_for_others("lookup")
        try:
            with closing(store.open(instance_name(row))) as content:
                return content.read(HEAD_BYTES)
        except NotFound:
            return b""

    def _rates(self, sample: Sample) -> list[tuple[int, int]]:
        """The bit rate of each of some segments in bit/s, with its duration in ns."""
        found = []
        remote_lookups = 0
        for segment in sample.segments:
            size = sample.sizes.get(segment.object_id, 0)
            row = sample.instances.get(segment.object_id)
            if not size and row is not None and row["storage_id"] is not None:
                store = self._env.stores[row["storage_id"]]
                if store.is_remote:
                    if remote_lookups >= _SAMPLES_ELSEWHERE:
                        continue
                    remote_lookups += 1
                    about_to_wait_for_others("lookup")
                stored = store.stat(instance_name(row))
                size = stored.size if stored is not None else 0
            if size:
                found.append((-(-size * 8 * NS // segment.duration), segment.duration))
        return found


def _mean(rates: Sequence[tuple[int, int]]) -> int:
    total = sum(duration for _, duration in rates)
    return sum(rate * duration for rate, duration in rates) // total if total else 0
