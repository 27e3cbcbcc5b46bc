"""A receiver of FROM's events, for runs that FROM can reach: changes are copied as they happen, not at the next poll.

Events only say where to look. Polling goes on at a longer interval, so that one that is lost is no harm.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

import uvicorn

from storage.timerange import ETERNITY, TimeRange, parse_timerange
from tams_server.client import ApiError, AsyncClient, calls
from tams_server.client.models import NewWebhook
from tams_server.replication.replicator import Replicator

_HEADER = "x-replication-key"
_MAX_BODY = 4 * 1024 * 1024
_EVENTS: list[Any] = [
    "flows/created",
    "flows/updated",
    "flows/deleted",
    "flows/segments_added",
    "flows/segments_deleted",
    "sources/updated",
]
_Receive = Callable[[], Awaitable[Mapping[str, Any]]]
_Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Receiver:
    """An ASGI application that hands events on. key: the secret that FROM sends along with each."""

    def __init__(self, key: str, replicator: Replicator, wake: asyncio.Event) -> None:
        self._key = key.encode()
        self._replicator = replicator
        self._wake = wake

    async def __call__(self, scope: Mapping[str, Any], receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        status = await self._status(dict(scope["headers"]), receive)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _status(self, headers: Mapping[bytes, bytes], receive: _Receive) -> int:
        if not secrets.compare_digest(headers.get(_HEADER.encode(), b""), self._key):
            return 401
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > _MAX_BODY:
                return 413
        try:
            self._take(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            return 400
        return 204

    def _take(self, message: Mapping[str, Any]) -> None:
        event = message["event"]
        if "flow_id" in event:
            for timerange in _timeranges(event):
                self._replicator.hint(event["flow_id"], timerange)
        self._wake.set()


def _timeranges(event: Mapping[str, Any]) -> list[TimeRange]:
    """Where an event says that segments have changed. Raises ValueError and KeyError for what is no such event."""
    if "segments" in event:
        found = [parse_timerange(each["timerange"]) for each in event["segments"]]
        starts, ends = [each.start for each in found], [each.end for each in found]
        if not found or None in starts or None in ends:
            return [ETERNITY]
        return [
            TimeRange(min(each for each in starts if each is not None), max(each for each in ends if each is not None))
        ]
    return [parse_timerange(event["timerange"])] if "timerange" in event else []


@asynccontextmanager
async def listening(
    origin: AsyncClient, url: str, host: str, port: int, replicator: Replicator, wake: asyncio.Event
) -> AsyncIterator[None]:
    """Receive events at `host` and `port`, which FROM reaches at `url`, during the block. Raises ClientError, OSError.

    The webhook is deleted in the end; one that an interrupted run has left for this URL, at the beginning.
    """
    key = secrets.token_urlsafe(32)
    config = uvicorn.Config(
        Receiver(key, replicator, wake),
        host,
        port,
        lifespan="off",
        access_log=False,
        log_config=None,
        ws="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                raise OSError(f"cannot listen on {host}:{port}: {serving.exception() or 'the address is not free'}")
            await asyncio.sleep(0.01)
        async for left in origin.iterate(calls.webhooks()):
            if left.get("url") == url:
                await origin.send(calls.delete_webhook(left["id"]))
        document: NewWebhook = {"url": url, "events": _EVENTS, "api_key_name": _HEADER, "api_key_value": key}
        webhook = await origin.send(calls.create_webhook(document))
        try:
            yield
        finally:
            with suppress(ApiError):  # it may be gone already
                await origin.send(calls.delete_webhook(webhook["id"]))
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)


class _Server(uvicorn.Server):
    """Leaves signals to the command."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()
