"""Read the media of flows: list segments, download their objects ahead of use, and find runs that play on.

A run is a series of segments whose media continue one another: same init object, same offset, no gap.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from storage.timerange import TimeRange, parse_timerange, parse_timestamp
from tams_server.client import ApiError, Client, ClientError, RetryPolicy, calls
from tams_server.client.documents import GetUrl, Segment
from tams_server.client.exchange import usable_urls
from tams_server.client_media.errors import MediaError
from tams_server.client_media.retries import LONG, ONCE, repeat

JITTER_NS: Final = 1_000_000
"""Times are rounded to the clock of a container: smaller differences are none."""
_EXPIRED: Final = (401, 403, 404)


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment: what it fills of the flow's timeline, in ns, and its objects. init_id: None without one."""

    start: int
    end: int
    ts_offset: int
    object_id: str
    init_id: str | None
    urls: list[GetUrl] = field(compare=False)
    init_urls: list[GetUrl] = field(compare=False)

    @property
    def timerange(self) -> TimeRange:
        return TimeRange(self.start, self.end)


def list_segments(client: Client, flow_id: str, timerange: TimeRange) -> Iterator[StoredSegment]:
    """The segments of a flow that overlap a timerange; those that use one object on are joined. Raises ClientError."""
    held: StoredSegment | None = None
    for document in client.iterate(calls.segments(flow_id, timerange)):
        segment = _segment(document)
        if held is not None and _goes_on(held, segment):
            held = StoredSegment(
                held.start, segment.end, held.ts_offset, held.object_id, held.init_id, held.urls, held.init_urls
            )
            continue
        if held is not None:
            yield held
        held = segment
    if held is not None:
        yield held


def _goes_on(held: StoredSegment, segment: StoredSegment) -> bool:
    same = (held.object_id, held.ts_offset) == (segment.object_id, segment.ts_offset)
    return same and held.end == segment.start


def _segment(document: Segment) -> StoredSegment:
    start, end = parse_timerange(document["timerange"]).bounds
    init = document.get("init_object")
    return StoredSegment(
        start,
        end,
        parse_timestamp(document.get("ts_offset", "0:0")),
        document["object_id"],
        init["object_id"] if init else None,
        usable_urls(document.get("get_urls", [])),
        usable_urls(init.get("get_urls", [])) if init else [],
    )


def continues(before: StoredSegment, segment: StoredSegment) -> bool:
    """Whether the media of a segment go on where those of the one before end."""
    return (
        before.init_id == segment.init_id
        and abs(before.ts_offset - segment.ts_offset) < JITTER_NS
        and abs(segment.start - before.end) < JITTER_NS
    )


def runs(segments: Sequence[StoredSegment]) -> list[list[StoredSegment]]:
    """The segments in runs, by `continues`."""
    found: list[list[StoredSegment]] = []
    for segment in segments:
        if found and continues(found[-1][-1], segment):
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def gaps(segments: Sequence[StoredSegment], wanted: TimeRange) -> list[TimeRange]:
    """What of a finite timerange no segment fills."""
    at, end = wanted.bounds
    found = []
    for segment in segments:
        if segment.start - at >= JITTER_NS:
            found.append(TimeRange(at, min(segment.start, end)))
        at = max(at, segment.end)
    if end - at >= JITTER_NS:
        found.append(TimeRange(at, end))
    return [gap for gap in found if not gap.is_empty]


class ObjectReader:
    """Downloads objects, some ahead of use. Use it as a context manager. read: called with bytes as they arrive."""

    def __init__(
        self, client: Client, ahead: int = 3, retry: RetryPolicy = LONG, read: Callable[[int], None] = lambda size: None
    ) -> None:
        self._client = client
        self._ahead = ahead
        self._retry = retry
        self._read = read
        self._pool = ThreadPoolExecutor(ahead, "download")
        self._stop = threading.Event()
        self._inits: dict[str, bytes] = {}

    def __enter__(self) -> "ObjectReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def files(self, segments: Sequence[StoredSegment]) -> Iterator[tuple[StoredSegment, bytes]]:
        """Each segment with the file of its object, the init object before it. Raises ClientError."""
        ahead: deque[tuple[StoredSegment, Future[bytes]]] = deque()
        coming = iter(segments)
        while True:
            while len(ahead) < self._ahead and (segment := next(coming, None)) is not None:
                ahead.append((segment, self._pool.submit(self._object, segment.object_id, segment.urls)))
            if not ahead:
                return
            segment, media = ahead.popleft()
            yield segment, self._init(segment) + media.result()

    def file(self, segment: StoredSegment) -> bytes:
        """The file of one segment."""
        return self._init(segment) + self._object(segment.object_id, segment.urls)

    def _init(self, segment: StoredSegment) -> bytes:
        if segment.init_id is None:
            return b""
        if segment.init_id not in self._inits:
            self._inits[segment.init_id] = self._object(segment.init_id, segment.init_urls)
        return self._inits[segment.init_id]

    def _object(self, object_id: str, urls: list[GetUrl]) -> bytes:
        try:
            return repeat(lambda: self._download(object_id, urls), self._retry, stop=self._stop)
        except ApiError as error:
            if error.status not in _EXPIRED:
                raise
        # The URLs have expired since they were listed, or the object has moved.
        return repeat(lambda: self._download(object_id, self._fresh(object_id)), self._retry, stop=self._stop)

    def _fresh(self, object_id: str) -> list[GetUrl]:
        return usable_urls(self._client.send(calls.media_object(object_id), ONCE).get("get_urls", []))

    def _download(self, object_id: str, urls: list[GetUrl]) -> bytes:
        if not urls:
            raise MediaError(f"object {object_id} has no URL that can be read")
        last: ClientError | None = None
        for url in urls:
            try:
                return self._bytes(url)
            except ClientError as error:
                last = last or error
        assert last is not None
        raise last

    def _bytes(self, url: GetUrl) -> bytes:
        found = bytearray()
        with self._client.download(url) as response:
            for chunk in response.iter_raw():
                found += chunk
                self._read(len(chunk))
        return bytes(found)
