"""Copy the segments of a flow that TO lacks: objects in parallel, registration in the order of time.

At most `parallel` objects are under way, and a hundred wait for their registration, so that memory is bounded whatever
the length of the flow. A segment is registered only after its object has been uploaded.
"""

import asyncio
import zlib
from dataclasses import dataclass

from tams_server.client import ApiError, AsyncClient, ClientError, RetryPolicy, calls
from tams_server.client.documents import Flow, Json, Segment
from tams_server.client.models import Error
from tams_server.client.retry import is_temporary
from tams_server.replication.comparison import are_same, span
from tams_server.replication.object_copier import ObjectCopier, Provided
from tams_server.replication.problems import Conflict, Problem
from tams_server.replication.report import Report
from tams_server.replication.segment_tags import SegmentTagWriter
from tams_server.replication.verification import ObjectComparison, both

_BATCH = 100
"""Segments that are registered in one request."""
_GIVE_UP = 10
"""So many objects in a row that cannot be copied end the pass: something is wrong with all of them."""
_KEPT = ("object_id", "timerange", "ts_offset", "last_duration", "sample_offset", "sample_count", "tags")


class GivenUp(ClientError):
    """Too many failures in a row."""


@dataclass(slots=True)
class _Item:
    """A segment on its way. provided: its object; or the problem with it, once `task` has ended."""

    segment: Segment
    task: "asyncio.Task[Provided | Problem]"


class SegmentCopier:
    """Copies segments of one flow. Use it as an asynchronous context manager: its end waits for all registrations.

    verify: the part of the objects, from 0 to 1, that is read again at TO.
    """

    def __init__(
        self,
        flow: Flow,
        origin: AsyncClient,
        target: AsyncClient,
        objects: ObjectCopier,
        report: Report,
        tags: SegmentTagWriter,
        *,
        parallel: int,
        verify: float,
        retry: RetryPolicy,
    ) -> None:
        self._flow = flow
        self._origin = origin
        self._target = target
        self._objects = objects
        self._report = report
        self._tags = tags
        self._verify = verify
        self._retry = retry
        self._comparison = ObjectComparison(origin, target, report)
        self._places = asyncio.Semaphore(parallel)
        self._queue: asyncio.Queue[_Item | None] = asyncio.Queue(_BATCH)
        self._tasks = asyncio.TaskGroup()
        self._failures_in_a_row = 0
        self.problems = 0
        """Segments that TO lacks in the end."""

    async def __aenter__(self) -> "SegmentCopier":
        await self._tasks.__aenter__()
        self._tasks.create_task(self._register_all())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                await self._queue.put(None)
        except asyncio.CancelledError as cancelled:
            kind, error = type(cancelled), cancelled
        try:
            await self._tasks.__aexit__(kind, error, None)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await self._objects.cancel()

    async def add(self, segment: Segment) -> None:
        """Copy a segment that TO lacks; add them in the order of time. Waits while too many are under way."""
        await self._places.acquire()
        task = self._tasks.create_task(self._provide(segment))
        await self._queue.put(_Item(segment, task))

    async def verify_existing(self, segment: Segment) -> None:
        """Read the object of a segment that both have at both, if it is in the part to be verified."""
        if self._is_in_sample(segment["object_id"]):
            await self._places.acquire()
            self._tasks.create_task(self._verify_existing(segment["object_id"]))

    async def _verify_existing(self, object_id: str) -> None:
        try:
            await self._comparison.reread(*await both(self._origin, self._target, object_id))
        except Problem as problem:
            self._tell(problem)
        except ApiError as error:
            self._tell(Problem(f"object {object_id} cannot be verified: {error}"))
        finally:
            self._places.release()

    async def _provide(self, segment: Segment) -> Provided | Problem:
        try:
            provided = await self._objects.provide(self._flow, segment["object_id"])
            self._failures_in_a_row = 0
            return provided
        except Problem as problem:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _GIVE_UP:
                raise GivenUp(f"{_GIVE_UP} objects in a row cannot be copied, the last because {problem}") from problem
            return problem
        finally:
            self._places.release()

    async def _register_all(self) -> None:
        """Register segments as their objects arrive, in order, together where several have."""
        batch: list[tuple[Segment, Provided]] = []
        item = await self._queue.get()
        while item is not None:
            outcome = await item.task
            if isinstance(outcome, Problem):
                self._tell(outcome)
            else:
                batch.append((item.segment, outcome))
            is_one_waiting = not self._queue.empty()
            item = self._queue.get_nowait() if is_one_waiting else None
            if len(batch) >= _BATCH or item is None or not item.task.done():
                await self._register(batch)
                batch = []
            if not is_one_waiting:
                item = await self._queue.get()
        await self._register(batch)

    async def _register(self, batch: list[tuple[Segment, Provided]]) -> None:
        """Register segments, and find out which of them are registered if the response does not tell."""
        attempts, left = self._retry.attempts(), batch
        while left:
            documents = [_document(segment, provided, with_tags=self._tags.is_accepted) for segment, provided in left]
            try:
                failed = await self._target.send(calls.add_segments(self._flow["id"], documents))
            except ClientError as error:
                if isinstance(error, ApiError) and not is_temporary(error):
                    if len(left) > 1:  # one may have spoilt the request for all
                        for pair in left:
                            await self._register([pair])
                        return
                    if "tags" in documents[0] and await self._is_taken_without_tags(left[0]):
                        return
                    reasons = {segment["timerange"]: error.reason for segment, _ in left}
                else:
                    pause = attempts.pause_after(error, repeatable=True)
                    if pause is None:
                        raise
                    await asyncio.sleep(pause)
                    # It may have acted before the connection broke. Asked again, it must not add segments twice.
                    missing = await self._not_registered([segment for segment, _ in left])
                    await self._done([pair for pair in left if pair[0] not in missing])
                    left = [pair for pair in left if pair[0] in missing]
                    continue
            else:
                reasons = {each.get("timerange", each["object_id"]): _reason(each.get("error")) for each in failed}
            await self._settle(left, reasons)
            return

    async def _is_taken_without_tags(self, pair: tuple[Segment, Provided]) -> bool:
        """Register a segment that was rejected with its tags without them. Returns whether TO takes it then."""
        try:
            failed = await self._target.send(calls.add_segments(self._flow["id"], [_document(*pair, with_tags=False)]))
        except ApiError as error:
            if is_temporary(error):
                raise
            return False
        if failed:
            return False
        self._tags.leave_out()
        await self._done([pair])
        return True

    async def _settle(self, batch: list[tuple[Segment, Provided]], reasons: dict[str, str]) -> None:
        """Take note of what was registered, and report what was not. reasons: by timerange or object id."""
        rejected = [
            segment for segment, _ in batch if segment["timerange"] in reasons or segment["object_id"] in reasons
        ]
        missing = await self._not_registered(rejected) if rejected else []
        await self._done([pair for pair in batch if pair[0] not in missing])
        for segment, provided in batch:
            if segment in missing:
                self._objects.abandoned(provided.object_ids)
                reason = reasons.get(segment["timerange"]) or reasons.get(segment["object_id"])
                place = f"the segment {segment['timerange']} of {segment['object_id']}"
                self._tell(Conflict(f"TO does not take {place}: {reason}"))

    async def _not_registered(self, segments: list[Segment]) -> list[Segment]:
        """Those of some segments, in the order of time, that TO does not have."""
        listing = calls.segments(self._flow["id"], span(segments[0], segments[-1]), with_urls=False)
        there = [each async for each in self._target.iterate(listing)]
        return [each for each in segments if not any(are_same(each, other) for other in there)]

    async def _done(self, batch: list[tuple[Segment, Provided]]) -> None:
        for _, provided in batch:
            self._objects.registered(provided.object_ids)
            self._report.segments_copied += 1
        self._report.progress()
        doubtful = [each for _, each in batch if each.doubtful or (each.digest and self._is_in_sample(each.object_id))]
        await asyncio.gather(*(self._verify_copy(each) for each in doubtful))

    async def _verify_copy(self, provided: Provided) -> None:
        assert provided.digest is not None
        async with self._places:
            try:
                described = await self._target.send(calls.media_object(provided.object_id))
                await self._comparison.verify(described, provided.digest)
            except Problem as problem:
                self._tell(problem)

    def _is_in_sample(self, object_id: str) -> bool:
        """Whether an object is verified; the same ones in each run."""
        return zlib.crc32(object_id.encode()) < self._verify * 2**32

    def _tell(self, problem: Problem) -> None:
        self.problems += 1
        self._report.tell(problem, f"flow {self._flow['id']}")


def _document(segment: Segment, provided: Provided, *, with_tags: bool) -> Json:
    kept = {name: segment.get(name) for name in _KEPT if name in segment and (with_tags or name != "tags")}
    return kept | provided.members


def _reason(error: Error | None) -> str:
    return str(error["summary"]) if error and "summary" in error else "it gives no reason"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that is one of ours, else the first."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            found.append(error)
    return next((each for each in found if isinstance(each, ClientError | Problem)), found[0])
