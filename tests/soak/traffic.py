"""Clients beside the authors: of every listing, of large objects, with hostile requests, and slow ones."""

import contextlib
import hashlib
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from tests.conformance.kit.documents import Json, flow
from tests.faults.hostile_requests import Hostile, Target, make_resources, random_request, targets
from tests.faults.server_process import ServerProcess
from tests.fuzz.raw_client import RawClient, Response
from tests.soak.reading import listed, patiently
from tests.soak.responses import Responses, recorded_client

LISTINGS = (
    *("/flows", "/sources", "/service/webhooks", "/flow-delete-requests", "/service/storage-backends", "/profiles"),
    *("/service", "/", "/healthz", "/readyz", "/metrics", "/openapi.json"),
)
LARGE_BYTES = 6 * 2**20
_RENEW_EVERY = 50
_MAX_PAGES = 20
_RANGES = 4
_SLOW_S = 15.0
_TRICKLE_S = 0.1


class Client(threading.Thread):
    """Repeats one action, with pauses, until `stopping` is set. errors: what the server must not have done."""

    def __init__(self, name: str, once: Callable[[], None], pause_s: float, stopping: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.errors: list[str] = []
        self.done = 0
        self._once = once
        self._pause_s = pause_s
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.wait(random.uniform(0, 2 * self._pause_s)) and len(self.errors) < 10:
            try:
                self._once()
                self.done += 1
            except Exception as error:
                self.errors.append(f"{self.name}: {error!r}")

    def stop(self) -> None:
        self._stopping.set()
        self.join(90)
        if self.is_alive():
            self.errors.append(f"the client {self.name} did not stop")


def reader(server: ServerProcess, responses: Responses) -> Callable[[], None]:
    """Read a listing, page by page, or a resource and what belongs to it."""
    http = recorded_client(server, responses, "reader")

    def once() -> None:
        path = random.choice(LISTINGS)
        if path in ("/flows", "/sources"):
            _read_resources(http, path)
        else:
            _read(http, random.choice(("GET", "GET", "HEAD")), path)

    return once


def _read_resources(http: httpx.Client, path: str) -> None:
    filters = random.choice(
        ({}, {"format": "urn:x-nmos:format:video"}, {"tag_exists.tag 1": "true"}, {"label": "none"})
    )
    found = _pages(http, path, {"limit": random.choice((1, 5, 100)), **filters})
    for resource in random.sample(found, min(2, len(found))):
        _read(http, "GET", f"{path}/{resource['id']}")
        if path == "/flows":
            segments = _pages(http, f"{path}/{resource['id']}/segments", {"limit": 10})
            for segment in segments[:1]:
                _read(http, "GET", f"/objects/{segment['object_id']}")


def _pages(http: httpx.Client, path: str, parameters: dict[str, str | int]) -> list[Json]:
    response = _read(http, "GET", path, parameters)
    found: list[Json] = response.json() if response.is_success else []
    for _ in range(_MAX_PAGES):
        if "next" not in response.links:
            break
        response = _read(http, "GET", response.links["next"]["url"])
        found += response.json() if response.is_success else []
    return found


def _read(http: httpx.Client, method: str, path: str, parameters: dict[str, str | int] | None = None) -> httpx.Response:
    """Send a request for what may have been deleted meanwhile."""
    response = http.request(method, path, params=parameters)
    if response.status_code not in (200, 404, 503):
        raise AssertionError(f"{method} {path}: {response.status_code} {response.text[:200]}")
    return response


def large_objects(server: ServerProcess, responses: Responses) -> Callable[[], None]:
    """Upload a large object, read it back in ranges, and delete it."""
    http = recorded_client(server, responses, "large objects")
    media = httpx.Client(timeout=60)
    document = flow()
    path = f"/flows/{document['id']}"

    def once() -> None:
        http.put(path, json=document).raise_for_status()
        item = http.post(f"{path}/storage", json={"limit": 1}).raise_for_status().json()["media_objects"][0]
        content = os.urandom(random.randrange(1, LARGE_BYTES))
        put_url = item["put_url"]
        media.put(put_url["url"], content=content, headers={"Content-Type": put_url["content-type"]}).raise_for_status()
        segment = {"object_id": item["object_id"], "timerange": "[0:0_1:0)"}
        http.post(f"{path}/segments", json=segment).raise_for_status()
        urls = http.get(f"/objects/{item['object_id']}?presigned=true").raise_for_status().json()["get_urls"]
        size = len(content) // _RANGES + 1
        parts = [_range(media, urls[0]["url"], at, min(at + size, len(content))) for at in range(0, len(content), size)]
        if hashlib.sha256(b"".join(parts)).digest() != hashlib.sha256(content).digest():
            raise AssertionError("a large object was not returned as it was sent")
        http.delete(path).raise_for_status()

    return once


def _range(media: httpx.Client, url: str, begin: int, end: int) -> bytes:
    return media.get(url, headers={"Range": f"bytes={begin}-{end - 1}"}).raise_for_status().content


def hostile(server: ServerProcess, responses: Responses) -> Callable[[], None]:
    """Send any request of any size, made to cost much, and delete what it may have made."""
    raw, http = RawClient(server.subject), recorded_client(server, responses, "resources for hostile requests")
    document = http.get("/openapi.json").json()
    known: list[Target] = []
    random_ = random.Random(random.random())
    made: list[str] = []
    count = 0

    def renew() -> None:
        for path in made:
            _delete(http, path)
        for webhook in http.get("/service/webhooks", params={"limit": 1000}).json():
            if not webhook["url"].startswith(("https://example.com/", "http://127.0.0.1:")):
                _delete(http, f"/service/webhooks/{webhook['id']}")
        ids = make_resources(http)
        made[:] = [f"/flows/{ids['flowId']}", f"/service/webhooks/{ids['webhookId']}"]
        known[:] = targets(document, ids)

    def once() -> None:
        nonlocal count
        if count % _RENEW_EVERY == 0:
            renew()
        count += 1
        request = random_request(random_, known)
        began = time.monotonic()
        response = raw.request(request.method, request.target, request.body, request.headers)
        took_s = time.monotonic() - began
        made.extend(_paths_of_batch(request, response))
        responses.add("hostile", request.name, response.status, took_s, retry_after="retry-after" in response.headers)

    return once


def _paths_of_batch(request: Hostile, response: Response) -> Iterator[str]:
    """The paths of what a batch has created, whose ids the server has made."""
    path = request.target.partition("?")[0]
    if request.method == "POST" and path in ("/flows", "/sources") and response.status in (200, 201):
        found = json.loads(response.body)
        for item in found if isinstance(found, list) else found.get(path[1:], [found]):
            yield f"{path}/{item['id']}"


def delete_others(http: httpx.Client, known: set[str]) -> None:
    """Delete what hostile requests have left: flows and webhooks, but those with the known paths, and sources."""
    for listing in ("/flows", "/service/webhooks"):
        for item in listed(http, listing):
            if (path := f"{listing}/{item['id']}") not in known:
                _delete(http, path)
    for item in listed(http, "/sources"):
        http.delete(f"/sources/{item['id']}")  # 409 if it has flows, with the last of which it goes.


def _delete(http: httpx.Client, path: str) -> None:
    """Delete a flow, a source or a webhook, even a flow that a hostile request has made read-only."""

    def once() -> httpx.Response:
        if path.startswith("/flows/"):
            http.put(f"{path}/read_only", json=False)
        response = http.delete(path)
        return response if response.status_code == 404 else response.raise_for_status()

    patiently(once)


def slow(server: ServerProcess, stopping: threading.Event) -> Callable[[], None]:
    """Open a connection that sends or reads hardly anything, and leave it to the server to end it.

    stopping: ends the connection too.
    """
    address = ("127.0.0.1", urlsplit(server.url).port or 80)

    def trickle(connection: socket.socket, data: bytes) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            if stopping.wait(_TRICKLE_S):
                return

    def once() -> None:
        with socket.socket() as connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(_SLOW_S)
            connection.connect(address)
            match random.randrange(4):
                case 0:
                    pass  # nothing at all
                case 1:
                    trickle(connection, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: " + b"x" * 1000)
                case 2:
                    head = b"POST /service/webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n"
                    trickle(connection, head + b"Content-Type: application/json\r\n\r\n" + b" " * 1000)
                case _:
                    connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" * 50)
            until = time.monotonic() + _SLOW_S  # even then, what the kernel holds can be read for long
            while time.monotonic() < until and connection.recv(256) and not stopping.wait(2 * _TRICKLE_S):
                pass

    return once
