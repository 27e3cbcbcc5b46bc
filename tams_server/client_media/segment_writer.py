"""Write the segments of flows to a server: uploads in parallel, registration in order and in batches.

Memory is bounded: `put` waits while more than a number of bytes is on its way. What is acknowledged by `registered` is
in the catalogue and its bytes are in the store.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from storage.timerange import TimeRange, parse_timerange
from tams_server.client import Client, RetryPolicy, calls
from tams_server.client.documents import Json
from tams_server.client.exchange import usable_urls
from tams_server.client_media.errors import MediaError
from tams_server.client_media.object_upload import ObjectUploader, Stored
from tams_server.client_media.retries import ONCE, repeat

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment to write: its document without object ids, the bytes of its object, and of its init object or empty."""

    segment: Json
    media: bytes
    init: bytes = b""


@dataclass(slots=True)
class _Waiting:
    document: Json
    size: int
    upload: "Future[Stored]"


@dataclass(slots=True)
class _Flow:
    init_ids: dict[bytes, str] = field(default_factory=dict)
    uploads: deque[_Waiting] = field(default_factory=deque)
    batch: list[tuple[Json, Stored]] = field(default_factory=list)
    since: float = 0.0


class SegmentWriter:
    """Writes segments. Use it as a context manager: it ends when all is registered, or breaks off after an error.

    parallel: number of uploads at a time. in_flight: bytes that may wait. batch_s: seconds that a segment whose bytes
    are stored may wait for others to be registered with. verify: "checksum" by what the store says, and by reading
    back where it says nothing; "read-back" always; "none". registered: called with (flow id, segments, bytes).
    """

    def __init__(
        self,
        client: Client,
        *,
        retry: RetryPolicy,
        parallel: int = 4,
        in_flight: int = 64 << 20,
        batch_s: float = 2.0,
        verify: str = "checksum",
        storage_id: str | None = None,
        registered: Callable[[str, int, int], None] = lambda flow_id, segments, size: None,
    ) -> None:
        self._client = client
        self._retry = retry
        self._stop = threading.Event()
        self._uploader = ObjectUploader(client, retry, storage_id, batch=4 * parallel, stop=self._stop)
        self._pool = ThreadPoolExecutor(parallel, "upload")
        self._limit = in_flight
        self._batch_s = batch_s
        self._verify = verify
        self._registered = registered
        self._flows: dict[str, _Flow] = {}
        self._pending = 0
        self._last_asked = ""
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._error: Exception | None = None
        self._poller = threading.Thread(target=self._poll_regularly, name="register", daemon=True)

    def __enter__(self) -> "SegmentWriter":
        self._poller.start()
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self._ending.set()
        try:
            if kind is None:
                self._poller.join()
                self.flush()
                self._check()
        finally:
            # After an error, or Ctrl-C, nothing is repeated any more: a server that is away would hold the command.
            self._stop.set()
            self._pool.shutdown(cancel_futures=True)

    def know_init(self, flow_id: str, init: bytes, object_id: str) -> None:
        """Reuse an init object that an earlier run has uploaded."""
        self._flows.setdefault(flow_id, _Flow()).init_ids[init] = object_id

    def put(self, flow_id: str, piece: Piece, init_type: str | None = None) -> None:
        """Send a segment on its way. init_type: media type of the init object. Raises what an upload raised."""
        with self._lock:
            self._put(flow_id, piece, init_type)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _fail(self, error: Exception) -> None:
        """Note the first error that no retry helps against, and end the attempts of all others."""
        self._error = self._error or error
        self._stop.set()

    def _upload(self, flow_id: str, media: bytes) -> Stored:
        try:
            return self._uploader.upload(flow_id, media)
        except Exception as error:
            self._fail(error)
            raise

    def _stored(self, waiting: _Waiting) -> Stored:
        """The outcome of an upload. Raises the first error of any, of which the others' may be consequences."""
        try:
            return waiting.upload.result()
        except Exception:
            self._check()
            raise

    def _put(self, flow_id: str, piece: Piece, init_type: str | None) -> None:
        self._check()
        flow = self._flows.setdefault(flow_id, _Flow())
        document = dict(piece.segment)
        if piece.init:
            if piece.init not in flow.init_ids:
                flow.init_ids[piece.init] = self._uploader.upload(flow_id, piece.init, init_type).object_id
            document["init_object_id"] = flow.init_ids[piece.init]
        self._wait_for_space(len(piece.media))
        self._pending += len(piece.media)
        upload = self._pool.submit(self._upload, flow_id, piece.media)
        flow.uploads.append(_Waiting(document, len(piece.media), upload))
        self._poll()

    def _poll_regularly(self) -> None:
        """Register what is due, also while nothing comes, as from a live input that pauses."""
        while not self._ending.wait(self._batch_s):
            try:
                with self._lock:
                    self._poll()
            except Exception as error:  # it must not end unseen: the segments after it would be lost
                self._fail(error)
                return

    def _poll(self) -> None:
        for flow_id, flow in self._flows.items():
            self._collect(flow)
            due = flow.batch and time.monotonic() - flow.since >= self._batch_s
            if due or len(flow.batch) >= _BATCH:
                self._register(flow_id, flow)

    def flush(self) -> None:
        """Wait for all uploads, and register them. Raises what went wrong with any of them."""
        self._check()
        for flow_id, flow in self._flows.items():
            while flow.uploads:
                self._stored(flow.uploads[0])
                self._collect(flow)
            if flow.batch:
                self._register(flow_id, flow)

    def _wait_for_space(self, size: int) -> None:
        while self._pending and self._pending + size > self._limit:
            oldest = next(flow.uploads[0] for flow in self._flows.values() if flow.uploads)
            self._stored(oldest)
            self._poll()

    def _collect(self, flow: _Flow) -> None:
        while flow.uploads and flow.uploads[0].upload.done():
            stored = self._stored(flow.uploads[0])
            waiting = flow.uploads.popleft()
            self._pending -= waiting.size
            if not flow.batch:
                flow.since = time.monotonic()
            flow.batch.append(({"object_id": stored.object_id, **waiting.document}, stored))

    def _register(self, flow_id: str, flow: _Flow) -> None:
        batch = list(flow.batch)
        documents = [document for document, _ in batch]
        repeat(lambda: self._add(flow_id, documents), self._retry, self._stop)
        flow.batch = []
        unproven = [stored for _, stored in batch if self._verify == "read-back" or not stored.proven]
        if unproven and self._verify != "none":
            self._read_back(flow_id, documents, unproven)
        self._registered(flow_id, len(batch), sum(stored.size for _, stored in batch))

    def _add(self, flow_id: str, documents: Sequence[Json]) -> None:
        """Register those that are not yet: a connection that broke off does not say what the server has done."""
        missing = self._missing(flow_id, documents) if self._asked_before(documents) else documents
        if not missing:
            return
        failed = self._client.send(calls.add_segments(flow_id, missing), ONCE)
        if failed:
            error: Json = dict(failed[0].get("error") or {})
            reason = error.get("summary") or error.get("detail") or error.get("description") or "no reason given"
            raise MediaError(
                f"{len(failed)} of {len(missing)} segments were not registered; the first is"
                f" {failed[0].get('timerange')}: {reason}"
            )

    def _asked_before(self, documents: Sequence[Json]) -> bool:
        asked = bool(documents[0]["object_id"] == self._last_asked)
        self._last_asked = documents[0]["object_id"]
        return asked

    def _missing(self, flow_id: str, documents: Sequence[Json]) -> list[Json]:
        present = {segment["object_id"] for segment in self._listed(flow_id, documents, with_urls=False)}
        return [document for document in documents if document["object_id"] not in present]

    def _read_back(self, flow_id: str, documents: Sequence[Json], unproven: Sequence[Stored]) -> None:
        listed = repeat(lambda: list(self._listed(flow_id, documents, with_urls=True)), self._retry, self._stop)
        urls = {segment["object_id"]: usable_urls(segment.get("get_urls", [])) for segment in listed}
        checks = [self._pool.submit(self._uploader.read_back, urls.get(each.object_id, []), each) for each in unproven]
        for check in checks:
            check.result()

    def _listed(self, flow_id: str, documents: Sequence[Json], *, with_urls: bool) -> Any:
        first, last = parse_timerange(documents[0]["timerange"]), parse_timerange(documents[-1]["timerange"])
        return self._client.iterate(calls.segments(flow_id, TimeRange(first.start, last.end), with_urls=with_urls))
