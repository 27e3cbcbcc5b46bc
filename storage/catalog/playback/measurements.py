"""Codecs and bit rates of flows, as far as their metadata does not state them: read from some of their objects.

They are kept for each version of a flow, since they hardly ever change, and for each set of storage backends that
callers may read, since they come from the media on these.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.completeness import segment_seconds
from storage.catalog.playback.flow_media import SEGMENT_COLUMNS, overlapping
from storage.catalog.playback.kept import Kept
from storage.catalog.playback.object_content import Instances, opened, read_stored_instances, store_of
from storage.playback.bit_rates import mean_rate, peak_rate
from storage.playback.codecs import HEAD_BYTES, codecs_of_flow, codecs_of_init, codecs_of_transport_stream
from storage.playback.essence import whole_number
from storage.playback.media_segment import MediaSegment, Part, read_segment, slack_of
from storage.playback.mp4 import read_track
from storage.tables.conditions import In
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.timerange import TimeRange

_MOST_KEPT: Final = 1000
_SAMPLES: Final = 20
_SAMPLES_ELSEWHERE: Final = 5
"""Of a store that is another server, which is asked for the size of each object."""
_KILOBIT: Final = 1000
_HIGHEST_RATE: Final = 2**32 - 1
"""In bit/s, which is what manifests can say (xs:unsignedInt). A flow of a nanosecond seems to have a higher one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some segments of a flow, the first of a timerange first; with instances of their objects, and known sizes.

    parts: in place of segments if all use only a part of their object, of which the segments then are all.
    """

    flow: FlowRow
    segments: Sequence[MediaSegment]
    instances: Instances
    sizes: Mapping[str, int]
    parts: Sequence[Part] = ()

    @property
    def key(self) -> Hashable:
        """The same for samples of which the media are the same."""
        doc = self.flow["doc"]
        # Clients choose versions, and may choose an earlier one again.
        return self.flow["id"], doc.get("metadata_version"), doc.get("metadata_updated"), self.instances.backends


@dataclass(frozen=True, slots=True)
class Measurement:
    """codecs: as in RFC 6381; empty if they cannot be known. peak, average: bit rates in bit/s.

    timescale: ticks in a second of the timestamps in the media; None if it cannot be known.
    """

    codecs: Sequence[str]
    peak: int
    average: int
    timescale: int | None = None


def read_sample(
    tx: Reader, env: Environment, flow: FlowRow, timerange: TimeRange, filters: GetUrlFilter
) -> Sample | None:
    """The first segment of a timerange and the last ones; None if there are none."""
    where = overlapping(flow, timerange)
    first = tx.select("segments", where, order=("start_ns",), limit=1, columns=SEGMENT_COLUMNS)
    last = tx.select("segments", where, order=("start_ns",), descending=True, limit=_SAMPLES, columns=SEGMENT_COLUMNS)
    slack = slack_of(flow["doc"])
    starts = {row["start_ns"] for row in first}
    rows = [*first, *(row for row in last if row["start_ns"] not in starts)]
    found = [read_segment(row, slack) for row in rows]
    segments = [each for each in found if isinstance(each, MediaSegment)]
    parts = [] if segments else [each for each in found if isinstance(each, Part)]
    segments += [each.segment._replace(end=each.segment.start + each.object_duration) for each in parts]
    if not segments:
        return None
    ids = list({id_ for each in segments for id_ in (each.object_id, each.init_object_id) if id_})
    instances = read_stored_instances(tx, env, ids, filters)
    sizes = tx.select("instances", [In("object_id", ids)], columns=["object_id", "size"])
    known = {row["object_id"]: row["size"] for row in sizes if row["size"]}
    return Sample(flow, segments, instances, known, parts)


class Measurements:
    """The measurements of one process."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._kept: Kept[Measurement] = Kept(env.clock, _MOST_KEPT)

    def measure(self, sample: Sample) -> Measurement:
        """The codecs and bit rates of a flow. Reads from its stores what the catalogue does not say."""
        kept = self._kept.get(sample.key)
        if kept is not None:
            return kept
        doc = sample.flow["doc"]
        init_id = sample.segments[0].init_object_id
        init = b"" if init_id is None else self._read(sample, init_id)
        codecs = codecs_of_flow(doc) or self._read_codecs(sample, init)
        track = read_track(init)
        sizes = self._sizes(sample)
        stated_peak, stated_average = (
            (whole_number(doc.get(name)) or 0) * _KILOBIT for name in ("max_bit_rate", "avg_bit_rate")
        )
        average = stated_average or mean_rate(sizes)
        peak = max(stated_peak, average, peak_rate(sizes, ceil(segment_seconds(doc))))
        peak, average = (min(max(rate, 1), _HIGHEST_RATE) for rate in (peak, average))
        found = Measurement(codecs, peak, average, None if track is None else track.timescale)
        return self._kept.put(sample.key, found, complete=bool(codecs and sizes and (init or init_id is None)))

    def _read_codecs(self, sample: Sample, init: bytes) -> Sequence[str]:
        if init:
            return codecs_of_init(init)
        if sample.flow["doc"].get("container") == "video/mp2t":
            return codecs_of_transport_stream(self._read(sample, sample.segments[0].object_id))
        return []

    def _read(self, sample: Sample, object_id: str) -> bytes:
        """The beginning of an object; empty if there is none in a store of this service."""
        with opened(self._env, sample.instances, object_id) as content:
            return b"" if content is None else content.read(HEAD_BYTES)

    def _sizes(self, sample: Sample) -> list[tuple[MediaSegment, int]]:
        """Some segments with the sizes of their objects in bytes, as far as these are known."""
        found = []
        remote_lookups = 0
        for segment in sample.segments:
            size = sample.sizes.get(segment.object_id, 0)
            if not size and remote_lookups < _SAMPLES_ELSEWHERE:
                place = store_of(self._env, sample.instances, segment.object_id)
                remote_lookups += place is not None and place[0].is_remote
                stored = None if place is None else place[0].stat(place[1])
                size = 0 if stored is None else stored.size
            if size:
                found.append((segment, size))
        return found
