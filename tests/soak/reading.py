"""Reads of a store that may be unavailable or restarting."""

import functools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx

from tests.conformance.kit.documents import Json

RECOVERY_S = 120
"""Time within which a killed server must respond again."""
_AT_ONCE = 8
"""Reads of one comparison that are in progress at a time."""
T = TypeVar("T")
Item = TypeVar("Item")


@functools.cache
def media_client() -> httpx.Client:
    """The client for uploads and downloads, without credentials. To make one takes longer than to read an object."""
    return httpx.Client(timeout=30)


def each_patiently(read: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Return what `read` returns for each item, in order, reading several at a time, as `patiently` does."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="comparison") as pool:
        return list(pool.map(lambda item: patiently(lambda: read(item)), items))


def patiently(read: Callable[[], T]) -> T:
    """Return what `read` returns, repeating it while the server does not respond, is unavailable or has no room.

    Raises RuntimeError in the end.
    """
    deadline = time.monotonic() + RECOVERY_S
    while True:
        try:
            return read()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code not in (503, 507):
                raise
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server did not recover within {RECOVERY_S} s: {error!r}") from error
        time.sleep(0.05)


def exists(http: httpx.Client, path: str) -> bool:
    response = http.get(path)
    if response.status_code != 404:
        response.raise_for_status()
    return response.status_code == 200


def document_at(http: httpx.Client, path: str) -> Json:
    document: Json = http.get(path).raise_for_status().json()
    return document


def listed(http: httpx.Client, path: str, **parameters: str | int) -> list[Json]:
    """Return all items of a listing, page by page."""
    response = http.get(path, params={"limit": 1000, **parameters}).raise_for_status()
    found = list(response.json())
    while "next" in response.links:
        response = http.get(response.links["next"]["url"]).raise_for_status()
        found += response.json()
    return found


def second_of(segment: Json) -> int:
    """The start of a segment, in seconds."""
    return int(segment["timerange"][1:].partition(":")[0])


def seconds(http: httpx.Client, path: str) -> list[int]:
    """Return the start of each segment of the flow, in seconds."""
    return [second_of(segment) for segment in listed(http, f"{path}/segments")]
