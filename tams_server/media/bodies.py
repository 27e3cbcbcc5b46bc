"""The body of an upload, passed on to an `Intake` by threads.

It comes directly from the socket where the server offers that (`DirectBody`), otherwise in ASGI messages.
"""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar

import anyio
from starlette.types import Message, Receive, Scope

from tams_server.errors import ClientDisconnected, TooSlow
from tams_server.http.pace import Pace

T = TypeVar("T")

_EXTENSION: Final = "tams_server.direct_body"
_PIECE_BYTES: Final = 1024 * 1024
"""Held in memory, and written to the disk, at a time."""
_TURN_BYTES: Final = 16 * _PIECE_BYTES
"""Received by a thread before another upload has its turn."""


class RunInThread(Protocol):
    """Runs a function in a worker thread."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Intake(Protocol):
    """Takes in a body. Its methods are called in threads, one after another, and may raise anything."""

    def begin(self) -> None:
        """Check whether the body is wanted. A client that waits for 100 Continue has not sent it yet."""

    def add(self, data: bytes | memoryview) -> None:
        """Take the next bytes, which change when this has returned."""

    def end(self) -> None:
        """Take note that all bytes have been added."""


class DirectBody(Protocol):
    """A body that threads read from the socket (tams_server.processes.direct_transfer)."""

    remaining: int

    @property
    def expects_continue(self) -> bool: ...
    def start(self) -> memoryview: ...
    def read_into(self, view: memoryview) -> int: ...
    async def readable(self, timeout_s: float) -> None: ...
    def stop(self) -> None: ...


async def receive_body(
    scope: Scope,
    receive: Receive,
    intake: Intake,
    in_thread: RunInThread,
    stall_timeout_s: float,
    min_rate: float = 0,
) -> None:
    """Pass the body of a request on to `intake`.

    stall_timeout_s: the longest wait for the next bytes. Where bytes come directly, only they count that have come when
    it ends, so that the wait can be twice as long.
    min_rate: bytes per second that must come, on average over that time.
    Raises ClientDisconnected, TooSlow, and whatever `intake` raises.
    """
    direct: DirectBody | None = scope.get("extensions", {}).get(_EXTENSION, {}).get("body")
    if direct is None:
        await _receive_messages(receive, intake, in_thread, Pace(min_rate, stall_timeout_s))
    else:
        await _receive_directly(direct, intake, in_thread, Pace(min_rate, stall_timeout_s))


async def _receive_directly(body: DirectBody, intake: Intake, in_thread: RunInThread, pace: Pace) -> None:
    steps = _DirectSteps(body, intake)
    if body.expects_continue:
        await in_thread(steps.begin)
    steps.received = body.start()
    try:
        while not await in_thread(steps.take_turn):
            before = body.remaining
            try:
                await body.readable(pace.window_s)
            except TimeoutError:
                if not await in_thread(steps.take_turn) and before - body.remaining < pace.min_bytes:
                    raise _too_slow(pace) from None
    finally:
        body.stop()


class _DirectSteps:
    """What threads do for one body."""

    def __init__(self, body: DirectBody, intake: Intake) -> None:
        self.received = memoryview(b"")
        self._body = body
        self._intake = intake
        self._has_begun = False
        self._has_ended = False

    def begin(self) -> None:
        self._has_begun = True
        self._intake.begin()

    def take_turn(self) -> bool:
        """Take in what the client has sent, and more if it comes soon. Return whether that was all."""
        if self._has_ended:
            return True
        if not self._has_begun:
            self.begin()
        if self.received:
            received, self.received = self.received, memoryview(b"")
            self._intake.add(received)
        if self._take_pieces():
            self._has_ended = True
            self._intake.end()
        return self._has_ended

    def _take_pieces(self) -> bool:
        piece = _thread.piece()
        until = self._body.remaining - _TURN_BYTES
        filled = count = 0
        while self._body.remaining:
            count = self._body.read_into(piece[filled:])
            filled += count
            if not count or filled == len(piece):
                self._intake.add(piece[:filled])
                filled = 0
                if not count or self._body.remaining <= until:
                    return not self._body.remaining
        if filled:
            self._intake.add(piece[:filled])
        return True


class _Thread(threading.local):
    """The memory of each thread: a new piece for each upload would cost more than receiving it."""

    _piece: memoryview | None = None

    def piece(self) -> memoryview:
        if self._piece is None:
            self._piece = memoryview(bytearray(_PIECE_BYTES))
        return self._piece


_thread = _Thread()


async def _receive_messages(receive: Receive, intake: Intake, in_thread: RunInThread, pace: Pace) -> None:
    await in_thread(intake.begin)
    pieces: list[bytes] = []
    held = 0
    async for message_body in _message_bodies(receive, pace):
        pieces.append(message_body)
        held += len(message_body)
        if held >= _PIECE_BYTES:
            await in_thread(partial(intake.add, b"".join(pieces)))
            pieces, held = [], 0

    def end() -> None:
        intake.add(b"".join(pieces))
        intake.end()

    await in_thread(end)


async def _message_bodies(receive: Receive, pace: Pace) -> AsyncIterator[bytes]:
    while True:
        message: Message | None = None
        with anyio.move_on_after(pace.remaining_s):
            message = await receive()
        if message is not None:
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            body = message.get("body", b"")
            taken = pace.now()
            yield body
            pace.leave_out(taken)
            if not message.get("more_body", False):
                return
            pace.add(len(body))
        if not pace.is_kept():
            raise _too_slow(pace)


def _too_slow(pace: Pace) -> TooSlow:
    detail = f"the upload arrives too slowly: {pace.rule}; nothing was stored"
    return TooSlow(detail, headers={"Connection": "close"})
