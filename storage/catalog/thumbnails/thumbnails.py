"""Thumbnails of flows, as callers may see them."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from storage import error_codes
from storage.catalog.access.backends import readable_backends
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import CONTENT_COLUMNS, in_content_range
from storage.catalog.objects.get_urls import GetUrlFilter, read_instances
from storage.catalog.objects.instances import instance_name
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import NotFound, Unsuitable
from storage.tables.rows import FlowRow, InstanceRow, SegmentRow
from storage.tables.transaction import Reader
from storage.thumbnails import decoder
from storage.thumbnails.kept_pictures import KeptPictures
from storage.thumbnails.request import MediaFormat, PictureRequest
from storage.timerange import ETERNITY, TimeRange, format_timestamp, parse_timerange, parse_timestamp
from storage.waiting import about_to_wait_for_others

_FORMATS: Final[Mapping[str, MediaFormat]] = {
    "video/mp2t": "mpegts",
    "video/mp4": "mp4",
    "application/mp4": "mp4",
    "video/quicktime": "mp4",
    "video/iso.segment": "fragmented_mp4",
    "application/iso.segment": "fragmented_mp4",
}
_PICTURES: Final = ("urn:x-nmos:format:video", "urn:x-nmos:format:multi")
_CHUNK_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the media of a picture are: the instances of the init object, if there is one, and of the object."""

    instances: Sequence[InstanceRow]
    request: PictureRequest

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the same picture. Objects never change once a segment uses them."""
        return self.request, *((row["object_id"], row["storage_id"], row["created"]) for row in self.instances)


class Thumbnails:
    """The thumbnails of one service. Those that a process has made are kept in its memory."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._kept = KeptPictures()

    def picture(self, caller: Caller, flow_id: str, at: int | None, width: int) -> bytes:
        """The picture of a flow that is shown at a time, as JPEG.

        at: on the timeline of the flow, in ns; None for the middle of its first segment. width: in pixels, at most.
        Raises: NotFound, also without a segment at that time or without its media; Forbidden; Unsuitable for what is
            not video, and for media that cannot be decoded; Unavailable.
        """
        filters = GetUrlFilter(backends=readable_backends(self._env, caller))
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, ("id", *CONTENT_COLUMNS, "doc"))
            format_ = _format_of(flow["doc"])
            segment = _segment_at(tx, flow, at)
            place = self._place(tx, segment, at, filters, format_, width)
        return self._kept.get(place.key) or self._make(place)

    def _place(
        self,
        tx: Reader,
        segment: SegmentRow,
        at: int | None,
        filters: GetUrlFilter,
        format_: MediaFormat,
        width: int,
    ) -> _Place:
        ids = [id_ for id_ in (segment["init_object_id"], segment["object_id"]) if id_]
        found: dict[str, InstanceRow] = {}
        for row in read_instances(tx, self._env, ids, filters):
            store = self._env.stores.get(row["storage_id"] or "")
            if store is not None and filters.passes_store(store):
                found.setdefault(row["object_id"], row)
        for id_ in ids:
            if id_ not in found:
                raise _no_media(id_)
        time = (segment["start_ns"] + segment["end_ns"]) // 2 if at is None else at
        time -= parse_timestamp(segment["doc"].get("ts_offset", "0:0"))
        object_start, _ = parse_timerange(segment["doc"]["object_timerange"]).bounds
        chosen: MediaFormat = "fragmented_mp4" if segment["init_object_id"] else format_
        return _Place([found[id_] for id_ in ids], PictureRequest(chosen, time, object_start, width))

    def _make(self, place: _Place) -> bytes:
        about_to_wait_for_others("picture")
        try:
            with closing(self._read(place.instances)) as media:
                picture = decoder.decode(place.request, media)
        except Unsuitable as error:
            self._kept.keep_failure(place.key, error)
            raise
        self._kept.keep(place.key, picture)
        return picture

    def _read(self, instances: Sequence[InstanceRow]) -> Generator[bytes, None, None]:
        """The bytes of objects, one after the other. Raises: NotFound."""
        for row in instances:
            assert row["storage_id"] is not None
            try:
                content = self._env.stores[row["storage_id"]].open(instance_name(row))
            except NotFound:
                raise _no_media(row["object_id"]) from None
            with closing(content):
                while chunk := content.read(_CHUNK_BYTES):
                    yield chunk


def _format_of(flow: Mapping[str, Any]) -> MediaFormat:
    """How to read the media of a flow. Raises: Unsuitable if there are no pictures in them."""
    if flow["format"] not in _PICTURES:
        raise _unsuitable(f"flow {flow['id']} has no pictures: its format is {flow['format']}", "format")
    container = flow.get("container")
    if container is None:
        raise _unsuitable(f"flow {flow['id']} has no container, and so no media of its own", "container")
    if container not in _FORMATS:
        raise _unsuitable(
            f"flow {flow['id']} has the container {container!r}; thumbnails are made from {', '.join(_FORMATS)}",
            "container",
        )
    return _FORMATS[container]


def _segment_at(tx: Reader, flow: FlowRow, at: int | None) -> SegmentRow:
    """The segment of a flow at a time in ns, or its first. Raises: NotFound."""
    timerange = ETERNITY if at is None else TimeRange(at, at + 1)
    where = [*SegmentFilter(timerange).overlapping(flow["id"]), *in_content_range(flow)]
    columns = ("start_ns", "end_ns", "object_id", "init_object_id", "doc")
    rows = tx.select("segments", where, order=("start_ns",), limit=1, columns=columns)
    if not rows:
        raise NotFound(
            f"flow {flow['id']} has no segment" + ("" if at is None else f" at {format_timestamp(at)}"),
            code=error_codes.THUMBNAIL_NO_SEGMENT,
            field="at",
        )
    return rows[0]


def _no_media(object_id: str) -> NotFound:
    return NotFound(
        f"object {object_id} has no media on a storage backend of this service that the caller may read",
        code=error_codes.THUMBNAIL_NO_MEDIA,
    )


def _unsuitable(message: str, field: str) -> Unsuitable:
    return Unsuitable(message, code=error_codes.THUMBNAIL_UNSUITABLE, field=field)
