"""Get one object to TO under the same id: its bytes, or its URLs if it has no others; nothing if TO has it."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx

from tams_server.client import ApiError, AsyncClient, ClientError, NotFound, RetryPolicy, Unreachable, calls
from tams_server.client.checksums import Digest, Told, told
from tams_server.client.documents import Flow, Json, MediaObject, Slot
from tams_server.client.exchange import usable_urls
from tams_server.client.retry import is_temporary
from tams_server.replication.problems import Damaged, Postponed, Problem
from tams_server.replication.rate import RateLimit
from tams_server.replication.report import Report
from tams_server.replication.state import State
from tams_server.replication.streaming import CHUNK, body_with_length
from tams_server.replication.verification import ObjectComparison

_FORWARDED = ("content-md5",)
"""Checksums of FROM that are sent along, for TO to verify. S3 accepts no others that are not part of the signature."""
_ALREADY_UPLOADED = (409, 412)
"""Statuses of an upload that say that the object has its bytes: those of a run that was interrupted."""
_URL_EXPIRED = (401, 403, 404, 410)
_LAST_RESPONSE_S = 5.0
"""How long a run that is interrupted waits for the response to an allocation."""
_REMEMBERED = 10_000
"""Objects at TO about which it is not asked again."""


@dataclass(frozen=True, slots=True)
class Provided:
    """An object that TO has or has been sent. members: what its first segment has to state.

    digest: of the bytes that FROM has; None if none were sent. proven: TO has told their checksum. doubtful: what TO
    has may be other bytes, and is to be read.
    """

    object_id: str
    members: Json = field(default_factory=dict)
    digest: Digest | None = None
    proven: bool = False
    doubtful: bool = False

    @property
    def object_ids(self) -> list[str]:
        """The object, and its init object if a segment states it."""
        return [self.object_id, *([self.members["init_object_id"]] if "init_object_id" in self.members else [])]


@dataclass(frozen=True, slots=True)
class Target:
    """TO.

    backend_labels: labels that uncontrolled URLs may not have there. allocation_s: for how long an allocated object
    waits for its segment. storage_id: the storage backend for new objects, if not the default one.
    """

    client: AsyncClient
    backend_labels: frozenset[str]
    allocation_s: float
    storage_id: str | None = None


class ObjectCopier:
    """Copies objects; each once, however many segments use it."""

    def __init__(
        self, origin: AsyncClient, target: Target, state: State, rate: RateLimit, report: Report, retry: RetryPolicy
    ) -> None:
        self._origin = origin
        self._target = target
        self._state = state
        self._rate = rate
        self._report = report
        self._retry = retry
        self._comparison = ObjectComparison(origin, target.client, report)
        self._there: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[Provided]] = {}

    async def provide(self, flow: Flow, object_id: str, *, is_init: bool = False) -> Provided:
        """Have the object at TO, allocated for this flow unless it is registered there. Raises Problem.

        Call `registered` once a segment uses it, or `abandoned` if none will.
        """
        if object_id in self._there:
            self._there.move_to_end(object_id)
            return Provided(object_id)
        if object_id not in self._under_way:
            self._under_way[object_id] = asyncio.ensure_future(self._provide(flow, object_id, is_init))
        return await asyncio.shield(self._under_way[object_id])

    def registered(self, object_ids: Iterable[str]) -> None:
        """A segment at TO uses these objects."""
        for object_id in object_ids:
            self._under_way.pop(object_id, None)
            self._there[object_id] = None
            self._state.forget_slot(object_id)
        while len(self._there) > _REMEMBERED:
            self._there.popitem(last=False)

    def abandoned(self, object_ids: Iterable[str]) -> None:
        """No segment was registered with these objects; another attempt starts from the beginning.

        TO may have removed one that it had.
        """
        for object_id in object_ids:
            self._under_way.pop(object_id, None)
            self._there.pop(object_id, None)

    async def cancel(self) -> None:
        """Stop what is under way, and wait for its end."""
        waiting = [each for each in self._under_way.values() if not each.done()]
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        self._under_way.clear()

    async def _provide(self, flow: Flow, object_id: str, is_init: bool) -> Provided:
        try:
            return await self._try_to_provide(flow, object_id, is_init)
        except BaseException:
            self.abandoned([object_id])
            raise

    async def _try_to_provide(self, flow: Flow, object_id: str, is_init: bool) -> Provided:
        attempts = self._retry.attempts()
        while True:
            try:
                return await self._provide_once(flow, object_id, is_init)
            except (ClientError, Damaged) as error:
                failure = error if isinstance(error, ClientError) else Unreachable(None, error)
                pause = attempts.pause_after(failure, repeatable=True)
                if pause is None:
                    raise error if isinstance(error, Damaged) else Problem(f"object {object_id}: {error}") from error
            await asyncio.sleep(pause)

    async def _provide_once(self, flow: Flow, object_id: str, is_init: bool) -> Provided:
        try:
            described = await self._origin.send(calls.media_object(object_id))
        except NotFound as error:
            raise Problem(f"object {object_id} does not exist at FROM any more") from error
        if (there := await self._at_target(object_id)) is not None:
            await self._comparison.check(described, there)
            self._report.objects_there += 1
            return Provided(object_id)
        init = described.get("init_object")
        members: Json = {} if init is None else {"init_object_id": init["id"]}
        if init is not None:
            await self.provide(flow, init["id"], is_init=True)
        members |= {
            name: value
            for name, value in (
                ("object_timerange", described.get("timerange")),
                ("key_frame_count", described.get("key_frame_count")),
                ("get_urls", self._uncontrolled(described)),
            )
            if value
        }
        if not any(each.get("controlled", True) for each in described.get("get_urls") or []):
            if "get_urls" not in members:
                raise Problem(f"object {object_id} has no URL at FROM")
            self._report.objects_referenced += 1
            return Provided(object_id, members)
        copied = await self._copy(flow, described, is_init)
        self._report.objects_copied += 1
        self._report.objects_proven += copied.proven
        return replace(copied, members=members)

    async def _at_target(self, object_id: str) -> MediaObject | None:
        try:
            return await self._target.client.send(calls.media_object(object_id))
        except NotFound:
            return None

    def _uncontrolled(self, described: MediaObject) -> list[Json]:
        """The URLs to register at TO: those that are nobody's, under labels that are free there."""
        found = []
        for number, each in enumerate(described.get("get_urls") or []):
            label = each.get("label", f"url-{number}")
            if not each.get("controlled", True) and label not in self._target.backend_labels:
                found.append({"url": each["url"], "label": label})
        return found

    async def _copy(self, flow: Flow, described: MediaObject, is_init: bool) -> Provided:
        """Stream the bytes. The object is allocated only once FROM has begun to send them."""
        object_id = described["id"]
        async with self._source(described) as response, body_with_length(response) as (content, size):
            saved = self._state.slot(object_id, self._target.allocation_s)
            slot = saved or await _completed(self._allocate(flow, object_id, response if is_init else None))
            source = told(response.headers)
            digest = Digest(*source.digests)
            headers = {name: response.headers[name] for name in _FORWARDED if name in response.headers}
            passing = self._passing(content, digest, source, object_id)
            try:
                uploaded = await self._target.client.upload(slot, passing, size, headers)
            except ApiError as error:
                if error.status in _ALREADY_UPLOADED:
                    return Provided(object_id, digest=await self._digest_of(described), doubtful=True)
                if is_temporary(error):
                    raise
                if saved is None or error.status not in _URL_EXPIRED:
                    raise Problem(f"TO does not take object {object_id}: {error}") from error
                self._state.forget_slot(object_id)
            else:
                result = told(uploaded.headers)
                proven = digest.is_proven_by(Told(None, result.digests, result.etag))
                return Provided(
                    object_id, digest=digest, proven=proven, doubtful=result.etag is not None and not proven
                )
        return await self._copy(flow, described, is_init)

    async def _allocate(self, flow: Flow, object_id: str, init: httpx.Response | None) -> Slot:
        """Allocate an object. init: the response with the bytes, if it is an init object, whose type may be its own."""
        kind = "" if init is None else init.headers.get("content-type", "").partition(";")[0].strip()
        content_type = kind if kind and kind != flow.get("container") else None
        target = self._target
        call = calls.allocate(flow["id"], [object_id], content_type=content_type, storage_id=target.storage_id)
        try:
            slots = await target.client.send(call)
        except ApiError as error:
            if error.status == 400 and "exist" in error.reason:
                minutes = -(-target.allocation_s // 60)
                raise Postponed(
                    f"object {object_id} is allocated at TO, by a run that was interrupted or by another client, and"
                    f" its upload URL is not known here. Repeat the command in {minutes:.0f} minutes, when TO has freed"
                    " the id"
                ) from error
            if error.status in (400, 403, 404, 413, 422):
                raise Problem(f"TO does not allocate object {object_id}: {error}") from error
            raise
        self._state.save_slot(object_id, slots[0])
        return slots[0]

    @asynccontextmanager
    async def _source(self, described: MediaObject) -> AsyncIterator[httpx.Response]:
        """Open the first URL that works."""
        failures: list[ClientError] = []
        for get_url in usable_urls(described.get("get_urls") or []):
            opened = self._origin.download(get_url)
            try:
                response = await opened.__aenter__()
            except ClientError as error:
                failures.append(error)
                continue
            try:
                yield response
            finally:
                await opened.__aexit__(None, None, None)
            return
        if not failures:
            raise Problem(f"object {described['id']} has no URL of HTTP at FROM")
        raise next((each for each in failures if is_temporary(each)), failures[0])

    async def _passing(
        self, content: AsyncIterator[bytes], digest: Digest, source: Told, object_id: str
    ) -> AsyncIterator[bytes]:
        """The bytes on their way. The last are held back until the checksums of FROM are verified, so that an upload of
        damaged bytes is never complete."""
        held = b""
        async for chunk in content:
            digest.update(chunk)
            if held:
                yield held
            await self._rate.take(len(chunk))
            self._report.add_bytes(len(chunk))
            held = chunk
        if difference := digest.difference(source):
            raise Damaged(f"object {object_id} arrives damaged from FROM: {difference}")
        if held:
            yield held

    async def _digest_of(self, described: MediaObject) -> Digest:
        digest = Digest()
        async with self._source(described) as response:
            async for chunk in response.aiter_raw(CHUNK):
                digest.update(chunk)
        return digest


async def _completed(allocation: Coroutine[None, None, Slot]) -> Slot:
    """Allocate; if cancelled, only after the response, as TO gives an upload URL once."""
    task = asyncio.ensure_future(allocation)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST_RESPONSE_S)
        task.cancel()
        raise
