"""F14: tags of segments, given with a segment, read and changed at paths of their own, and in filters of listings."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.client import path_segment
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh

COUNT = 12


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("tags")) as running:
        yield running


def segment(number: int, **members: Any) -> Json:
    """A segment of a second whose bytes are elsewhere."""
    urls = [{"label": "elsewhere", "url": f"https://media.example.com/{number}"}]
    return {"object_id": fresh(), "timerange": f"[{number}:0_{number + 1}:0)", "get_urls": urls, **members}


def tags_of(number: int) -> dict[str, Any]:
    """Those of a segment: every third has a shot, every second a camera, number 4 an empty list, number 5 none."""
    tags: dict[str, Any] = {}
    if number % 3 == 0:
        tags["shot"] = ["wide", "a,b"] if number % 2 else "close"
    if number % 2 == 0:
        tags["camera 1/2"] = f"c{number % 4}"
    if number == 4:
        tags["empty"] = []
    return tags


@pytest.fixture
def make(running: Running) -> Callable[[], str]:
    """Makes a flow with COUNT segments, and returns its id."""

    def make_flow() -> str:
        document = flow()
        running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
        segments = [segment(number, tags=tags_of(number)) for number in range(COUNT)]
        response = running.client.post(f"/flows/{document['id']}/segments", json=segments)
        assert response.status_code == 201, response.text
        return str(document["id"])

    return make_flow


def path(flow_id: str, timerange: str, name: str | None = None) -> str:
    end = "" if name is None else f"/{path_segment(name)}"
    return f"/flows/{flow_id}/segments/{path_segment(timerange)}/tags{end}"


def found(running: Running, flow_id: str, query: str) -> list[int]:
    """The numbers of the segments on all pages of a listing."""
    numbers: list[int] = []
    url: str | None = f"/flows/{flow_id}/segments?{query}"
    while url is not None:
        response = running.client.get(url)
        assert response.status_code == 200, response.text
        assert running.client.head(url).headers["X-Paging-Count"] == str(len(response.json()))
        numbers += [int(each["timerange"][1:].partition(":")[0]) for each in response.json()]
        url = response.links["next"]["url"] if "next" in response.links else None
    return numbers


def test_a_client_that_sets_no_tags_sees_none(running: Running) -> None:
    document = flow()
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    given = [segment(0), segment(1, tags={})]
    running.client.post(f"/flows/{document['id']}/segments", json=given).raise_for_status()
    listed = running.client.get(f"/flows/{document['id']}/segments").json()
    assert [set(each) for each in listed] == [{"object_id", "timerange", "get_urls"}] * 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tag.shot=wide", [3, 9]),
        ("tag.shot=wide,close", [0, 3, 6, 9]),
        ("tag.shot=a%2Cb", [3, 9]),
        ("tag.shot=Wide", []),
        ("tag.shot=", []),
        ("tag.camera%201%2F2=c0", [0, 4, 8]),
        ("tag_exists.shot=true", [0, 3, 6, 9]),
        ("tag_exists.shot=false", [1, 2, 4, 5, 7, 8, 10, 11]),
        ("tag_exists.empty=true", [4]),
        ("tag.empty=", []),
        ("tag_exists.nothing=true", []),
        ("tag_exists.nothing=false", list(range(COUNT))),
        ("tag.shot=close&tag.camera%201%2F2=c0,c2", [0, 6]),
        ("tag.shot=wide&tag_exists.camera%201%2F2=true", []),
        ("tag_exists.shot=true&tag_exists.camera%201%2F2=false", [3, 9]),
        ("tag_exists.shot=true&timerange=[3:500000000_6:500000000)", [3, 6]),
        ("tag_exists.shot=true&timerange=[4:0_6:0)", []),
        ("tag_exists.shot=true&timerange=()", []),
        ("tag_exists.shot=true&timerange=[20:0_", []),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_listings_are_filtered_as_those_of_flows_are(
    running: Running, make: Callable[[], str], query: str, expected: list[int], limit: int, reverse: bool
) -> None:
    order = "&reverse_order=true" if reverse else ""
    assert found(running, _shared(make), f"{query}&limit={limit}{order}") == (expected[::-1] if reverse else expected)


_made: list[str] = []


def _shared(make: Callable[[], str]) -> str:
    """A flow for tests that change nothing."""
    if not _made:
        _made.append(make())
    return _made[0]


def test_a_filter_by_object_goes_with_one_by_tag(running: Running, make: Callable[[], str]) -> None:
    flow_id = _shared(make)
    listed = running.client.get(f"/flows/{flow_id}/segments").json()
    assert found(running, flow_id, f"tag.shot=wide&object_id={listed[3]['object_id']}") == [3]
    assert found(running, flow_id, f"tag.shot=close&object_id={listed[3]['object_id']}") == []


@pytest.mark.parametrize("query", ["tag_exists.x=maybe", "tag.x=a,,b", "tag.=a", "tag.x=a&page=unknown"])
def test_an_invalid_filter_is_rejected(running: Running, make: Callable[[], str], query: str) -> None:
    response = running.client.get(f"/flows/{_shared(make)}/segments?{query}")
    assert response.status_code == 400
    assert response.json()["field"] in query


@pytest.mark.parametrize(
    "timerange", ["[3:0_4:0)", "3:0_4:0)", "[3:0_3:999999999]", "(2:999999999_4:0)", "(2:999999999_3:999999999]"]
)
def test_every_spelling_of_its_timerange_is_the_segment(
    running: Running, make: Callable[[], str], timerange: str
) -> None:
    response = running.client.get(path(_shared(make), timerange))
    assert (response.status_code, response.json()) == (200, tags_of(3))
    assert running.client.head(path(_shared(make), timerange)).status_code == 200


@pytest.mark.parametrize(
    "timerange",
    ["[3:0_4:0]", "[3:0_3:5)", "[3:0]", "[2:0_4:0)", "_", "()", "[3:0_", "nonsense", "[9999999999999999999999:0_"],
)
def test_no_other_timerange_is(running: Running, make: Callable[[], str], timerange: str) -> None:
    flow_id = _shared(make)
    for method, name, body in (("GET", None, None), ("GET", "shot", None), ("PUT", "x", "y"), ("DELETE", "shot", None)):
        response = running.client.request(method, path(flow_id, timerange, name), json=body)
        assert (response.status_code, response.json()["field"]) == (404, "timerange"), response.text


def test_tags_are_set_and_removed_one_by_one(running: Running, make: Callable[[], str]) -> None:
    flow_id, client = make(), running.client
    before = client.get(f"/flows/{flow_id}").json()
    assert client.put(path(flow_id, "[1:0_2:0)", "shot"), json=["wide", "a/b"]).status_code == 204
    assert client.put(path(flow_id, "[1:0_2:0)", "a/b"), json="").status_code == 204
    assert client.get(path(flow_id, "[1:0_2:0)")).json() == {"shot": ["wide", "a/b"], "a/b": ""}
    assert client.get(path(flow_id, "[1:0_2:0)", "a/b")).json() == ""
    assert found(running, flow_id, "tag.shot=wide") == [1, 3, 9]
    assert found(running, flow_id, "tag.a%2Fb=") == [1]
    assert client.put(path(flow_id, "[1:0_2:0)", "shot"), json="close").status_code == 204
    assert found(running, flow_id, "tag.shot=wide") == [3, 9]
    for name in ("shot", "a/b"):
        assert client.delete(path(flow_id, "[1:0_2:0)", name)).status_code == 204
    assert client.delete(path(flow_id, "[1:0_2:0)", "shot")).status_code == 404
    assert client.get(path(flow_id, "[1:0_2:0)", "shot")).json()["code"] == "segment.tag_not_found"
    assert client.get(path(flow_id, "[1:0_2:0)")).json() == {}
    assert "tags" not in client.get(f"/flows/{flow_id}/segments?timerange=[1:0_2:0)").json()[0]
    assert client.get(f"/flows/{flow_id}").json() == before


def test_changes_have_preconditions(running: Running, make: Callable[[], str]) -> None:
    flow_id, client = make(), running.client
    url = path(flow_id, "[0:0_1:0)", "shot")
    first = client.get(url)
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert client.put(url, json="new", headers={"If-None-Match": "*"}).status_code == 412
    assert client.put(url, json="new", headers={"If-Match": first.headers["ETag"]}).status_code == 204
    assert client.delete(url, headers={"If-Match": first.headers["ETag"]}).status_code == 412
    assert client.get(url).json() == "new"


@pytest.mark.parametrize(
    ("tags", "code", "field"),
    [
        ({"a": 5}, "request.schema", "tags.a"),
        ({"a": [5]}, "request.schema", "tags.a.0"),
        ({"n" * 600: "x"}, "field.too_long", "tags."),
        ({"a": ["", "x" * 5000]}, "field.too_long", "tags.a.1"),
        ({"a": [str(number) for number in range(65)]}, "segment.too_many_tags", "tags"),
        ({str(number): "x" * 4000 for number in range(5)}, "document.too_large", "tags"),
    ],
)
def test_tags_beyond_the_limits_are_rejected(
    running: Running, make: Callable[[], str], tags: Json, code: str, field: str
) -> None:
    flow_id = _shared(make)
    response = running.client.post(f"/flows/{flow_id}/segments", json=segment(50, tags=tags))
    assert response.status_code == 400
    problem = response.json()
    assert problem["code"] == code
    assert problem["field"].startswith(field)


def test_tags_of_a_read_only_flow_are_kept(running: Running, make: Callable[[], str]) -> None:
    flow_id, client = make(), running.client
    client.put(f"/flows/{flow_id}/read_only", json=True).raise_for_status()
    for method, body in (("PUT", "x"), ("DELETE", None), ("PUT", 5)):
        response = client.request(method, path(flow_id, "[0:0_1:0)", "shot"), json=body)
        assert (response.status_code, response.json()["code"]) == (403, "flow.read_only")
    assert client.get(path(flow_id, "[0:0_1:0)")).json() == tags_of(0)


def test_tags_go_with_their_segments(running: Running, make: Callable[[], str]) -> None:
    """New segments in their place have none."""
    flow_id, client = make(), running.client
    assert client.delete(f"/flows/{flow_id}/segments", params={"timerange": "[0:0_5:0)"}).status_code == 204
    assert found(running, flow_id, "tag_exists.shot=true") == [6, 9]
    client.post(f"/flows/{flow_id}/segments", json=[segment(number) for number in range(5)]).raise_for_status()
    assert found(running, flow_id, "tag_exists.shot=true") == [6, 9]
    assert client.get(path(flow_id, "[0:0_1:0)")).json() == {}


@pytest.mark.parametrize(
    ("method", "name", "scope"),
    [("GET", None, "read"), ("GET", "shot", "read"), ("PUT", "x", "write"), ("DELETE", "shot", "write")],
)
def test_scopes_are_those_of_tags_of_flows(
    running: Running, make: Callable[[], str], method: str, name: str | None, scope: str
) -> None:
    flow_id = make()
    for each in ("read", "write", "delete"):
        with running.with_scopes(each) as client:
            response = client.request(method, path(flow_id, "[0:0_1:0)", name), json="y" if method == "PUT" else None)
        assert (response.status_code == 403) == (each != scope), response.text
