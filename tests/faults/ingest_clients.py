"""Clients that write segments and list them while a store fails, retry as 503 asks, and record what must not happen."""

import os
import threading

import httpx

from tests.conformance.kit.documents import Json
from tests.faults.server_process import ServerProcess

WRITERS = 2
"""Number of writers, which take turns in the seconds of one flow."""
_RETRY_S = 0.05


class Client(threading.Thread):
    """Repeats one action until stopped. errors: what a client must never see. deferred: number of 503 responses."""

    def __init__(self, server: ServerProcess, path: str, stop: threading.Event) -> None:
        super().__init__()
        self._http = server.client()
        self._path = path
        self._stop_requested = stop
        self.deferred = 0
        self.errors: list[str] = []

    def run(self) -> None:
        try:
            while not self._stop_requested.is_set() and not self.errors:
                self._once()
        except _Stopped:
            pass
        except Exception as error:
            self.errors.append(repr(error))
        finally:
            self._http.close()

    def _once(self) -> None:
        raise NotImplementedError

    def _pause(self) -> None:
        """Wait before a retry."""
        self.deferred += 1
        if self._stop_requested.wait(_RETRY_S):
            raise _Stopped

    def _request(self, method: str, path: str, body: Json | None = None) -> tuple[httpx.Response, bool]:
        """Send a request until the response is not 503. Returns the response and whether there were retries."""
        again = False
        while (response := self._http.request(method, path, json=body)).status_code == 503:
            if "Retry-After" not in response.headers:
                self.errors.append(f"{method} {path}: 503 without Retry-After")
            again = True
            self._pause()
        return response, again


class _Stopped(Exception):
    """The test has ended."""


class Writer(Client):
    """Allocates, uploads, registers, copies to a second backend if there is one, and reads back."""

    def __init__(self, server: ServerProcess, path: str, stop: threading.Event, first: int) -> None:
        super().__init__(server, path, stop)
        self._at = first
        self._second = _second_backend(self._http)
        self.acknowledged: dict[str, tuple[str, bytes]] = {}
        self.done = 0

    def _once(self) -> None:
        response, _ = self._request("POST", f"{self._path}/storage", {"limit": 1})
        item, content = response.raise_for_status().json()["media_objects"][0], os.urandom(20_000)
        put_url, object_id = item["put_url"], item["object_id"]
        self._media("PUT", put_url["url"], content, {"Content-Type": put_url["content-type"]})
        timerange = f"[{self._at}:0_{self._at + 1}:0)"
        self._at += WRITERS
        self._change(f"{self._path}/segments", {"object_id": object_id, "timerange": timerange})
        self.acknowledged[object_id] = timerange, content
        if self._second:
            self._change(f"/objects/{object_id}/instances", {"storage_id": self._second})
        response, _ = self._request("GET", f"/objects/{object_id}?presigned=true")
        urls = response.raise_for_status().json()["get_urls"]
        if len(urls) != 1 + bool(self._second):
            self.errors.append(f"object {object_id} has {len(urls)} URLs")
        for url in urls:
            if self._media("GET", url["url"]).content != content:
                self.errors.append(f"object {object_id} does not have the bytes that were sent")
        self.done += 1

    def _change(self, path: str, body: Json) -> None:
        """Send a request that must return 201; or 400 after a retry, as the first attempt may have succeeded."""
        response, again = self._request("POST", path, body)
        if response.status_code != 201 and not (again and response.status_code == 400):
            self.errors.append(f"POST {path}: {response.status_code} {response.text}")

    def _media(
        self, method: str, url: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a request to a media URL, whose store may be the one that is down."""
        while True:
            try:
                response = httpx.request(method, url, content=content, headers=headers, timeout=30)
            except httpx.TransportError:
                self._pause()
                continue
            if response.status_code < 500:
                return response.raise_for_status()
            self._pause()


class Reader(Client):
    """Lists the segments, which must include all acknowledged before."""

    def __init__(self, server: ServerProcess, path: str, stop: threading.Event, writers: list[Writer]) -> None:
        super().__init__(server, path, stop)
        self._writers = writers

    def _once(self) -> None:
        known = {object_id for writer in self._writers for object_id in list(writer.acknowledged)}
        response, _ = self._request("GET", f"{self._path}/segments?limit=1000")
        missing = known - {segment["object_id"] for segment in response.raise_for_status().json()}
        if missing:
            self.errors.append(f"{len(missing)} of {len(known)} segments are not listed")
        self._stop_requested.wait(_RETRY_S)


def _second_backend(http: httpx.Client) -> str:
    found = http.get("/service/storage-backends").raise_for_status().json()
    return next((each["id"] for each in found if not each.get("default_storage")), "")
