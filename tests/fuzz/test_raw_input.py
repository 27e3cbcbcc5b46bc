"""Malformed input: rejected with a problem document, or accepted harmlessly, but never a server failure."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st

from tests.conformance.kit.documents import TECHNICAL, VIDEO
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.server import Subject
from tests.fuzz.fuzzed_schema import EXAMPLES, SEED
from tests.fuzz.malformed_input import BODIES, HEADER_VALUES, TARGETS, with_literals
from tests.fuzz.raw_client import RawClient
from tests.fuzz.resources import TAG, Resources

many_examples = hypothesis.settings(
    max_examples=6 * EXAMPLES,
    derandomize=SEED is None,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)

HEADERS = (
    *("Authorization", "Content-Type", "Accept", "Accept-Encoding", "Host", "X-Request-Id", "Origin", "Cookie"),
    *("Access-Control-Request-Headers", "Access-Control-Request-Method", "X-Forwarded-For", "X-Forwarded-Host"),
    *("Forwarded", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "Expect", "X-HTTP-Method-Override", "é"),
)
RANGES = (
    *(
        "bytes=0-",
        "bytes=-1",
        "bytes=-0",
        "bytes=5-2",
        "bytes=0-0,1-1",
        "bytes=a-b",
        "bytes=99999999999999999999-",
        "=0-1",
    ),
    *(
        "bytes=-99999999999999999999",
        "bytes=0-99999999999999999999",
        "items=0-1",
        "bytes 0-1",
        "bytes=0-1;",
        "bytes=١-٢",
    ),
    *("bytes=" + "0-1," * 1000, "bytes=--1", "bytes=0x0-0x1", "bytes= 0 - 1 ", "bytes=1e1-2e1", "bytes=-"),
)
LIMITS = (
    "0",
    "-1",
    "1" * 30,
    "-" + "9" * 5000,
    "1e3",
    "+5",
    "%205",
    "0x10",
    "1_000",
    "%D9%A1",
    "5.0",
    "",
    "null",
    "true",
    "1,2",
)
LISTINGS = (
    *("/flows", "/sources", "/service/profiles", "/service/webhooks", "/flow-delete-requests", "/compliance", "/jobs"),
)
TIMERANGES = (
    *(
        "[" + "9" * 5000 + ":0_)",
        "[0:0_" + "9" * 5000 + ":999999999)",
        "-" + "1" * 5000 + ":0_",
        "[0:" + "0" * 5000 + "_1:0)",
    ),
    *(
        "[9223372036:854775807_9223372036:854775808)",
        "[-9223372036:854775808_0:0)",
        "[9223372036:854775808]",
        "[1:0_0:0)",
    ),
    *(
        "",
        "[",
        "[]",
        "(]",
        "[5:0",
        "5:0]",
        "(5:0)",
        "[0:1000000000_)",
        "[0:0_10:0)%0A",
        "_%00",
        "%FF",
        "[٠:0_1:0)",
        "[-0:0_0:1)",
    ),
    *("[0:0_10:0)" * 100, "[0:0_1:0_2:0)", " _ ", "[0.5:0_)", "[1e9:0_)", "NaN", "_" * 1000, "((0:0_1:0))"),
)


@pytest.fixture(scope="module")
def resources(subject: Subject, receiver_url: str) -> Iterator[Resources]:
    with httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {subject.token}"}) as client:
        resources = Resources(client, fresh_name("raw input"), receiver_url)
        yield resources
        resources.delete_webhooks()


@pytest.fixture(scope="module")
def mutable_resources(subject: Subject, receiver_url: str) -> Iterator[Resources]:
    """Resources that the tests change at random."""
    with httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {subject.token}"}) as client:
        resources = Resources(client, fresh_name("raw input that is taken"), receiver_url)
        yield resources
        resources.delete_webhooks()


@pytest.fixture(autouse=True)
def raw_client(subject: Subject) -> Iterator[RawClient]:
    """A raw client. The server must still respond after the test."""
    raw_client = RawClient(subject)
    yield raw_client
    assert raw_client.request("GET", "/service").status == 200


@many_examples
@hypothesis.given(data=st.data())
def test_nonsensical_targets(raw_client: RawClient, mutable_resources: Resources, data: st.DataObject) -> None:
    names = ["flows", "segments", "storage", "sources", "objects", "instances", "tags", "service", "profiles", "media"]
    names += ["webhooks", next(iter(mutable_resources.webhooks))]
    known = [
        quote(mutable_resources.objects[0], safe=""),
        mutable_resources.id("video"),
        mutable_resources.sources[0],
        mutable_resources.profile_id,
        TAG,
        *names,
    ]
    path = "/".join(data.draw(st.lists(st.one_of(st.sampled_from(known), TARGETS), max_size=5)))
    query = data.draw(TARGETS)
    method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "OPTIONS"]))
    body = data.draw(st.sampled_from([None, b"{}", b'"a"', b"[]"]))
    raw_client.request(method, f"/{path}?{query}" if query else f"/{path}", body).check()


@many_examples
@hypothesis.given(name=st.sampled_from(HEADERS), value=HEADER_VALUES, method=st.sampled_from(["GET", "PUT", "OPTIONS"]))
def test_nonsensical_headers(raw_client: RawClient, resources: Resources, name: str, value: str, method: str) -> None:
    path = f"/flows/{resources.id('video')}/label"
    raw_client.request(method, path, b'"a"' if method == "PUT" else None, {name: value}).check()


def _valid_request(resources: Resources, line: str) -> tuple[str, Any]:
    """The request line and a valid body of one of WRITES."""
    fresh = resources.id("of a body")
    instance = {"url": "https://media.example.com/a", "label": "a"}
    ids = {
        "video": resources.id("video"),
        "multi": resources.id("multi"),
        "source": resources.sources[0],
        "fresh": fresh,
    }
    ids["webhook"] = next(iter(resources.webhooks))
    silent = resources.webhook(status="disabled")
    segment = {"object_id": fresh, "timerange": "[900:0_901:0)", "get_urls": [instance], "key_frame_count": 1}
    bodies: dict[str, Any] = {
        "label": "text",
        "description": "text",
        "read_only": False,
        "max_bit_rate": 6000,
        TAG: ["red"],
        "flow_collection": resources.flows[ids["multi"]]["flow_collection"],
        "segments": [segment] if "multi" in line else segment,
        "storage": {
            "limit": 1,
            "object_ids": [fresh],
            "content_type": "video/mp2t",
            "storage_id": resources.storage_id,
        },
        "instances": instance,
        "service": {"name": "text", "description": "text"},
        "webhooks": silent,
        "{webhook}": {**silent, "id": ids["webhook"]},
        "{video}": resources.flows[ids["video"]],
        "{multi}": resources.flows[ids["multi"]],
        "{fresh}": {"id": fresh, "label": "text", "tags": {}, "flow_metadata": TECHNICAL[VIDEO]},
    }
    path = line.replace("{object}", quote(resources.objects[0], safe=""))
    return path.format_map(ids), bodies[PurePosixPath(line).name]


WRITES = (
    *("PUT /flows/{video}", "PUT /flows/{multi}", "PUT /flows/{video}/label", "PUT /flows/{video}/read_only"),
    *("PUT /flows/{video}/max_bit_rate", f"PUT /flows/{{video}}/tags/{TAG}", "PUT /flows/{multi}/flow_collection"),
    *("POST /flows/{video}/segments", "POST /flows/{multi}/segments", "POST /flows/{video}/storage", "POST /service"),
    *("POST /objects/{object}/instances", "PUT /sources/{source}/description", "POST /service/profiles/{fresh}"),
    *("POST /service/webhooks", "PUT /service/webhooks/{webhook}"),
)


@pytest.mark.parametrize("line", WRITES)
def test_nonsensical_bodies(raw_client: RawClient, mutable_resources: Resources, line: str) -> None:
    mutable_resources.restore()
    request, body = _valid_request(mutable_resources, line)
    method, target = request.split(" ")
    for malformed in (*BODIES, *with_literals(body)):
        response = raw_client.request(method, target, malformed)
        response.check()
        if response.status < 300:
            mutable_resources.unlock()


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 10**5, b"NaN", b"\xff", b"1e400", b'"\\ud800"'])
def test_json_that_cannot_be_stored_is_rejected(raw_client: RawClient, body: bytes) -> None:
    assert raw_client.request("POST", "/service", body).status == 400


@pytest.mark.parametrize("listing", LISTINGS)
def test_absurd_limits(raw_client: RawClient, listing: str) -> None:
    for limit in LIMITS:
        raw_client.request("GET", f"{listing}?limit={limit}").check()


@many_examples
@hypothesis.given(data=st.data())
def test_modified_page_keys(
    raw_client: RawClient, resources: Resources, mutable_resources: Resources, data: st.DataObject
) -> None:
    # How many jobs and broken rules there are changes with time.
    listings = [each for each in LISTINGS if each not in ("/jobs", "/compliance")]
    listing = data.draw(st.sampled_from([*listings, f"/flows/{resources.id('video')}/segments"]))
    key = bytearray((resources.page_key(listing, {}) or "").encode())
    assert key, f"{listing} has only one page"
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(key)))
        key[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    other = data.draw(st.sampled_from([listing, *LISTINGS]))
    filters = data.draw(
        st.sampled_from(["", "&reverse_order=true", "&sort_by=label", "&label=x", "&format=x", "&timerange=()"])
    )
    response = raw_client.request("GET", f"{other}?page={quote(bytes(key))}{filters}")
    response.check()
    assert response.status in (200, 400)


@pytest.mark.parametrize("timerange", TIMERANGES)
def test_nonsensical_timeranges(raw_client: RawClient, resources: Resources, timerange: str) -> None:
    video = f"/flows/{resources.id('video')}"
    escaped = quote(timerange, safe="%")
    for line in ("GET /flows", f"GET {video}", f"GET {video}/segments", f"DELETE {video}/segments"):
        method, path = line.split(" ")
        raw_client.request(method, f"{path}?object_id=none&timerange={escaped}").check()


@pytest.fixture(scope="module")
def media_url(resources: Resources) -> str:
    """The path and query of the URL of a ten-byte object in the server's own store."""
    response = resources.client.post(f"/flows/{resources.id('video')}/storage", json={"limit": 1})
    [item] = response.json()["media_objects"]
    put = item["put_url"]
    httpx.put(put["url"], content=b"0123456789", headers={"Content-Type": put["content-type"]}).raise_for_status()
    segment = {"object_id": item["object_id"], "timerange": "[700:0_710:0)"}
    resources.client.post(f"/flows/{resources.id('video')}/segments", json=segment).raise_for_status()
    path = f"/objects/{quote(item['object_id'], safe='')}"
    [url] = [each["url"] for each in resources.client.get(path, params={"presigned": True}).json()["get_urls"]]
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("range_", RANGES, ids=range(len(RANGES)))
def test_nonsensical_ranges(raw_client: RawClient, media_url: str, range_: str) -> None:
    response = raw_client.request("GET", media_url, headers={"Range": range_.encode()})
    assert response.status in (200, 206, 400, 416), response
    assert response.status >= 400 or response.body in b"0123456789" or "multipart" in response.headers["content-type"]


@many_examples
@hypothesis.given(malformed=TARGETS, place=st.integers(0, 200), method=st.sampled_from(["GET", "PUT", "DELETE"]))
def test_nonsensical_media_urls(raw_client: RawClient, media_url: str, malformed: str, place: int, method: str) -> None:
    raw_client.request(
        method, media_url[:place] + malformed + media_url[place + 1 :], headers={"Authorization": ""}
    ).check()
