"""A client that knows TAMS and nothing of any one server, and holds every answer against the specification."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.documents import VIDEO, Json, flow
from tests.conformance.kit.preparation import preparing
from tests.conformance.kit.trail import TRAIL

MEDIA_TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds for reading and writing media, and for reaching their store."""


def part(text: str) -> str:
    """`text` as one part of a path."""
    return quote(text, safe="")


class TamsClient:
    """Talks to one server with one credential. Remembers the flows it made, to delete them afterwards."""

    def __init__(self, http: httpx.Client, checker: Checker) -> None:
        self.http = http
        self._checker = checker
        self._made: list[str] = []
        self._paths: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send, and check the answer against the specification (of refusals only that they are no 5xx).

        path: or a URL that the server gave; one that leads to another server is a failure, and gets no credential.
        """
        there, own = httpx.URL(path), self.http.base_url
        if there.is_absolute_url:
            same = (there.scheme, there.netloc) == (own.scheme, own.netloc)
            assert same, f"the server under test is {own}, and gave a URL of another one: {path}"
        answer = self.http.request(method, path, **options)
        self._checker.check(answer)
        return answer

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
        """Create a flow (a video flow unless given) and give its document as it was sent."""
        document = document or flow(members.pop("format_", VIDEO), **members)
        self._made.append(document["id"])
        with preparing("a flow"):
            answer = self.put(f"/flows/{document['id']}", document)
            assert answer.status_code == 201, answer.text
        return document

    def remember(self, flow_id: str) -> None:
        """Delete this flow too when the test is over."""
        self._made.append(flow_id)

    def remember_at(self, path: str) -> None:
        """Delete what is at this path, which is no flow, when the test is over."""
        self._paths.append(path)

    def allocate(self, flow_id: str, count: int = 1, **members: Any) -> list[Json]:
        """Set storage aside for `count` objects; the items of media_objects."""
        body = {"limit": count, **members} if "object_ids" not in members else members
        answer = self.post(f"/flows/{flow_id}/storage", body)
        assert answer.status_code == 201, answer.text
        media_objects: list[Json] = answer.json()["media_objects"]
        return media_objects

    def upload(self, media_object: Json, content: bytes) -> httpx.Response:
        """PUT the bytes as the allocation says, without credentials."""
        put_url = media_object["put_url"]
        headers = {"Content-Type": put_url["content-type"], **put_url.get("headers", {})}
        with httpx.Client(timeout=MEDIA_TIMEOUT, event_hooks={"response": [TRAIL.note]}) as client:
            return client.put(put_url["url"], content=content, headers=headers)

    def make_objects(self, flow_id: str, count: int, content: bytes | None = None) -> list[str]:
        """Ids of `count` allocated objects, uploaded when `content` is given."""
        with preparing(f"{count} objects"):
            items = self.allocate(flow_id, count)
            assert len(items) == count, f"{len(items)} objects for limit {count}"
            for item in items:
                if content is not None:
                    answer = self.upload(item, content)
                    assert answer.is_success, f"PUT {answer.request.url}: {answer.status_code} {answer.text}"
            return [item["object_id"] for item in items]

    def make_segments(self, flow_id: str, timeranges: Iterable[str]) -> list[Json]:
        """Register a segment with an object of its own at each of the timeranges; what was sent."""
        timeranges = list(timeranges)
        ids = self.make_objects(flow_id, len(timeranges))
        segments = [{"object_id": id_, "timerange": each} for id_, each in zip(ids, timeranges, strict=True)]
        with preparing("segments"):
            answer = self.post(f"/flows/{flow_id}/segments", segments)
            assert answer.status_code == 201, answer.text
        return segments

    def segments(self, flow_id: str, **params: Any) -> list[Json]:
        """All segments that match, page by page."""
        return [item for page in self.pages(f"/flows/{flow_id}/segments", **params) for item in page.json()]

    def pages(self, path: str, **params: Any) -> Iterator[httpx.Response]:
        """Every page of a listing, by following the Link headers."""
        answer = self.get(path, **params)
        seen = set()
        while True:
            assert answer.status_code == 200, answer.text
            yield answer
            if "next" not in answer.links:
                return
            following = str(answer.request.url.join(answer.links["next"]["url"]))
            assert following not in seen, f"the pages of {path} lead in a circle: {following}"
            seen.add(following)
            answer = self.request("GET", following)

    def clean(self) -> None:
        """Delete what was made: the flows last, read-only ones too."""
        for path in reversed(self._paths):
            with suppress(httpx.TransportError):
                self.http.delete(path)
        self._paths.clear()
        for flow_id in reversed(self._made):
            with suppress(httpx.TransportError):
                if self.http.delete(f"/flows/{flow_id}").status_code == 403:
                    self.http.put(f"/flows/{flow_id}/read_only", json=False)
                    self.http.delete(f"/flows/{flow_id}")
        self._made.clear()


def _texts(params: dict[str, Any]) -> dict[str, Any]:
    return {name: str(v).lower() if isinstance(v, bool) else v for name, v in params.items() if v is not None}
