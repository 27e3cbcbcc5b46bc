"""A small TAMS client over plain HTTP that relies only on the published interface."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

_TIMEOUT = httpx.Timeout(30)
# Servers on this machine are called directly, whatever proxy the environment sets.
_NO_PROXY = {"all://127.0.0.1": None, "all://localhost": None}


class ApiError(Exception):
    """An unexpected response. The message states the request and the response."""


@dataclass(frozen=True)
class Slot:
    """Storage allocated for one object: the URL and headers of its upload."""

    object_id: str
    url: str
    presigned: bool
    headers: Mapping[str, str] = field(default_factory=dict)


class Tams:
    """A client of a TAMS API, given its base URL and a bearer token. Close it, or use it as a context manager.

    token: that token, for players; empty without one.

    Every method raises ApiError for an unexpected response, and httpx.HTTPError if there is none.
    """

    def __init__(self, base_url: str, token: str | None) -> None:
        self._credentials = {"Authorization": f"Bearer {token}"} if token else {}
        self.token = token or ""
        self.base_url = base_url.rstrip("/")
        self.api = self.new_api()
        self._stores = httpx.Client(timeout=_TIMEOUT, mounts=_NO_PROXY)

    def __enter__(self) -> "Tams":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def new_api(self) -> httpx.Client:
        """Another client of the API alone, with the same credentials and connections of its own."""
        return httpx.Client(base_url=self.base_url, headers=self._credentials, timeout=_TIMEOUT, mounts=_NO_PROXY)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()
        self._stores.close()

    def get(self, path: str, **parameters: str) -> Any:
        """The document at a path of the API."""
        return _expect(self.api.get(path, params=parameters), 200).json()

    def put_flow(self, flow: Mapping[str, Any]) -> None:
        """Create a flow and its source, or replace the flow."""
        _expect(self.api.put(f"/flows/{flow['id']}", json=flow), 201, 204)

    def describe_source(self, source_id: str, **texts: str) -> None:
        """Set the label or description of a source."""
        for name, text in texts.items():
            _expect(self.api.put(f"/sources/{source_id}/{name}", json=text), 204)

    def allocate(self, flow_id: str, count: int, content_type: str | None = None) -> list[Slot]:
        """Allocate storage for `count` objects of a flow, in several requests if the server limits their number.

        content_type: of init objects, if it is not that of the flow.
        """
        slots: list[Slot] = []
        while len(slots) < count:
            request: dict[str, Any] = {"limit": count - len(slots), "presigned": True}
            request |= {"content_type": content_type} if content_type else {}
            response = _expect(self.api.post(f"/flows/{flow_id}/storage", json=request), 201)
            media_objects = response.json().get("media_objects", [])
            if not media_objects:
                raise ApiError(f"{_line(response)}: no storage was allocated")
            slots += [_slot(media_object) for media_object in media_objects]
        return slots

    def upload(self, slot: Slot, media: bytes) -> None:
        """Upload an object's bytes."""
        _expect(self._store(slot.url, slot.presigned).put(slot.url, content=media, headers=slot.headers), 200, 201, 204)

    def register(self, flow_id: str, segments: Sequence[Mapping[str, Any]]) -> None:
        """Register many segments of a flow in one request."""
        response = _expect(self.api.post(f"/flows/{flow_id}/segments", json=list(segments)), 200, 201)
        if response.status_code == 200:
            raise ApiError(f"{_line(response)}: not all segments were registered: {response.text}")

    def pages(self, flow_id: str, timerange: str, limit: int) -> Iterator[list[dict[str, Any]]]:
        """The segments of a flow that overlap a timerange, page by page, following the server's links."""
        parameters = {
            "timerange": timerange,
            "limit": str(limit),
            "presigned": "true",
            "include_object_timerange": "true",
        }
        response = self.api.get(f"/flows/{flow_id}/segments", params=parameters)
        while True:
            yield _expect(response, 200).json()
            following = response.links.get("next")
            if not following:
                return
            response = self.api.get(response.url.join(following["url"]))

    def download(self, segment: Mapping[str, Any]) -> bytes:
        """Download a segment's object from its first get_url."""
        url = media_url(segment)
        return _expect(self._store(url, segment["get_urls"][0].get("presigned", False)).get(url), 200).content

    def headers(self, url: str) -> Mapping[str, str]:
        """The headers of the response to a presigned get_url."""
        return _expect(self._stores.get(url), 200).headers

    def _store(self, url: str, presigned: bool) -> httpx.Client:
        """The client for a media URL. Credentials go only to the API's own origin, and never with presigned URLs."""
        return self.api if not presigned and _origin(httpx.URL(url)) == _origin(self.api.base_url) else self._stores


def media_url(segment: Mapping[str, Any]) -> str:
    """The first get_url of a segment. Raises ApiError if there is none."""
    if not segment.get("get_urls"):
        raise ApiError(f"segment {segment.get('timerange')} of object {segment.get('object_id')} has no presigned URL")
    return str(segment["get_urls"][0]["url"])


def object_path(object_id: str) -> str:
    """The path of an object. Its id may contain any character."""
    return f"/objects/{quote(object_id, safe='')}"


def _slot(media_object: Mapping[str, Any]) -> Slot:
    request = media_object["put_url"]
    headers = dict(request.get("headers", {}))
    if "content-type" in request:
        headers["Content-Type"] = request["content-type"]
    return Slot(media_object["object_id"], request["url"], media_object.get("presigned", False), headers)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _expect(response: httpx.Response, *statuses: int) -> httpx.Response:
    if response.status_code not in statuses:
        expected = " or ".join(map(str, statuses))
        raise ApiError(f"{_line(response)} instead of {expected}: {response.text[:2000]}")
    return response


def _line(response: httpx.Response) -> str:
    # The query of a media URL contains a signature, which must not be logged.
    return f"{response.request.method} {response.url.copy_with(query=None)} returned {response.status_code}"
