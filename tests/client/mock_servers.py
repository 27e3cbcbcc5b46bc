"""Both clients over a function that takes requests and returns responses, behind one interface for tests."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import httpx

from tams_server.client import AsyncClient, Call, Client, Credentials, Listing, RetryPolicy
from tams_server.client.documents import GetUrl

T = TypeVar("T")
Respond = Callable[[httpx.Request], httpx.Response]
URL = "https://tams.example/v8"
QUICK = RetryPolicy(for_s=5, first_s=0.001, longest_s=0.002)


class AnyClient(Protocol):
    """What both clients can do."""

    def send(self, call: Call[T]) -> T: ...

    def listed(self, listing: Listing[T]) -> list[T]: ...

    def downloaded(self, get_url: GetUrl) -> bytes: ...


class Sync:
    """The synchronous client."""

    def __init__(self, respond: Respond, credentials: Credentials | None = None) -> None:
        self._client = Client(URL, credentials, retry=QUICK, transport=httpx.MockTransport(respond))

    def send(self, call: Call[T]) -> T:
        return self._client.send(call)

    def listed(self, listing: Listing[T]) -> list[T]:
        return list(self._client.iterate(listing))

    def downloaded(self, get_url: GetUrl) -> bytes:
        with self._client.download(get_url) as response:
            return b"".join(response.iter_raw())


class Async:
    """The asynchronous client."""

    def __init__(self, respond: Respond, credentials: Credentials | None = None) -> None:
        self._client = AsyncClient(URL, credentials, retry=QUICK, transport=httpx.MockTransport(respond))

    def send(self, call: Call[T]) -> T:
        return asyncio.run(self._client.send(call))

    def listed(self, listing: Listing[T]) -> list[T]:
        async def collect() -> list[T]:
            return [each async for each in self._client.iterate(listing)]

        return asyncio.run(collect())

    def downloaded(self, get_url: GetUrl) -> bytes:
        async def read() -> bytes:
            async with self._client.download(get_url) as response:
                return b"".join([chunk async for chunk in response.aiter_raw()])

        return asyncio.run(read())


CLIENTS: tuple[Any, ...] = (Sync, Async)


class Script:
    """Responds with the given responses, or raises the given errors, one after another, and records the requests."""

    def __init__(self, *steps: httpx.Response | Exception) -> None:
        self._steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step
