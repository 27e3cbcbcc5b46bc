"""A TAMS client that assumes nothing about the server and validates every response against the specification."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.documents import VIDEO, Json, flow
from tests.conformance.kit.exchange_log import EXCHANGE_LOG
from tests.conformance.kit.preparation import preparing
from tests.conformance.kit.skips import not_implemented

MEDIA_TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds to read and write media, and to connect to their store."""
_VIOLATED = "X-Violated-Schema"


def path_segment(text: str) -> str:
    """Percent-encode `text` as one segment of a path."""
    return quote(text, safe="")


class TamsClient:
    """A client of one server with one credential. Keeps track of the flows it made, to delete them in `clean_up`."""

    def __init__(self, http: httpx.Client, checker: Checker) -> None:
        self.http = http
        self._checker = checker
        self._flow_ids: list[str] = []
        self._paths: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request, and check the response against the specification (errors only for not being a 5xx).

        Skips if the server declares that it has accepted a request that violates a schema (docs/compliance.md).

        path: a path, or a URL given by the server. A URL of another server fails and is sent no credential.
        """
        there, own = httpx.URL(path), self.http.base_url
        if there.is_absolute_url:
            same = (there.scheme, there.netloc) == (own.scheme, own.netloc)
            assert same, f"the server under test is {own}, but it returned a URL of another server: {path}"
        response = self.http.request(method, path, **options)
        if response.is_success and _VIOLATED in response.headers:
            not_implemented(f"rejection of what violates a schema: the server accepts it and says so ({_VIOLATED})")
        self._checker.check(response)
        return response

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.request("GET", path, params=_texts(params) if params else None)

    def head(self, path: str, **params: Any) -> httpx.Response:
        return self.request("HEAD", path, params=_texts(params) if params else None)

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.request("PUT", path, json=body)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.request("POST", path, json=body)

    def delete(self, path: str, **params: Any) -> httpx.Response:
        return self.request("DELETE", path, params=_texts(params) if params else None)

    def make_flow(self, document: Json | None = None, /, **members: Any) -> Json:
        """Create a flow (a video flow unless `document` is given) and return the document that was sent."""
        document = document or flow(members.pop("format_", VIDEO), **members)
        self._flow_ids.append(document["id"])
        with preparing("a flow"):
            response = self.put(f"/flows/{document['id']}", document)
            assert response.status_code == 201, response.text
        return document

    def delete_later(self, flow_id: str) -> None:
        """Delete this flow as well when the test ends."""
        self._flow_ids.append(flow_id)

    def delete_path_later(self, path: str) -> None:
        """Delete the resource at this path, which is not a flow, when the test ends."""
        self._paths.append(path)

    def allocate(self, flow_id: str, count: int = 1, **members: Any) -> list[Json]:
        """Allocate storage for `count` objects, and return the items of media_objects."""
        body = {"limit": count, **members} if "object_ids" not in members else members
        response = self.post(f"/flows/{flow_id}/storage", body)
        assert response.status_code == 201, response.text
        media_objects: list[Json] = response.json()["media_objects"]
        return media_objects

    def upload(self, media_object: Json, content: bytes) -> httpx.Response:
        """PUT the bytes to the put_url of an allocation, without credentials."""
        put_url = media_object["put_url"]
        headers = {"Content-Type": put_url["content-type"], **put_url.get("headers", {})}
        return _stores().put(put_url["url"], content=content, headers=headers)

    def make_objects(self, flow_id: str, count: int, content: bytes = b"media", **body: Any) -> list[str]:
        """Allocate `count` objects, upload `content` to each, and return their ids.

        Servers may require the upload before a segment is registered (SEG-POST-65).

        body: further members of the request, such as object_ids.
        """
        with preparing(f"{count} objects"):
            items = self.allocate(flow_id, count, **body)
            assert len(items) == count, f"{len(items)} objects for limit {count}"
            for item in items:
                response = self.upload(item, content)
                assert response.is_success, f"PUT {response.request.url}: {response.status_code} {response.text}"
            return [item["object_id"] for item in items]

    def make_segments(self, flow_id: str, timeranges: Iterable[str]) -> list[Json]:
        """Register a segment with a new object at each of the timeranges, and return what was sent."""
        timeranges = list(timeranges)
        ids = self.make_objects(flow_id, len(timeranges))
        segments = [{"object_id": id_, "timerange": each} for id_, each in zip(ids, timeranges, strict=True)]
        with preparing("segments"):
            response = self.post(f"/flows/{flow_id}/segments", segments)
            assert response.status_code == 201, response.text
        return segments

    def segments(self, flow_id: str, **params: Any) -> list[Json]:
        """All segments that match, read page by page."""
        return [item for page in self.pages(f"/flows/{flow_id}/segments", **params) for item in page.json()]

    def pages(self, path: str, **params: Any) -> Iterator[httpx.Response]:
        """Every page of a listing, by following the Link headers."""
        response = self.get(path, **params)
        seen = set()
        while True:
            assert response.status_code == 200, response.text
            yield response
            if "next" not in response.links:
                return
            following = str(response.request.url.join(response.links["next"]["url"]))
            assert following not in seen, f"the pages of {path} form a loop: {following}"
            seen.add(following)
            response = self.request("GET", following)

    def clean_up(self) -> None:
        """Delete everything that was made. Flows come last, and read-only flows are unlocked first."""
        for path in reversed(self._paths):
            with suppress(httpx.TransportError):
                self.http.delete(path)
        self._paths.clear()
        for flow_id in reversed(self._flow_ids):
            with suppress(httpx.TransportError):
                if self.http.delete(f"/flows/{flow_id}").status_code == 403:
                    self.http.put(f"/flows/{flow_id}/read_only", json=False)
                    self.http.delete(f"/flows/{flow_id}")
        self._flow_ids.clear()


@cache
def _stores() -> httpx.Client:
    """A client without credentials, shared by all tests of a process, for the stores of media."""
    return httpx.Client(timeout=MEDIA_TIMEOUT, event_hooks={"response": [EXCHANGE_LOG.record]})


def _texts(params: dict[str, Any]) -> dict[str, Any]:
    return {name: str(v).lower() if isinstance(v, bool) else v for name, v in params.items() if v is not None}
