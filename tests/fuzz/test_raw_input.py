"""Input that no well-behaved client sends: refused with a problem document, or harmless; it never fails the server."""

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
from tests.fuzz.fuzzed import EXAMPLES, SEED
from tests.fuzz.nonsense import BODIES, LINE, TARGET, with_literals
from tests.fuzz.wire import Wire
from tests.fuzz.world import TAG, World

often = hypothesis.settings(
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
LISTINGS = ("/flows", "/sources", "/service/profiles", "/service/webhooks", "/flow-delete-requests")
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
def world(subject: Subject, receiver_url: str) -> Iterator[World]:
    with httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {subject.token}"}) as client:
        world = World(client, fresh_name("raw input"), receiver_url)
        yield world
        world.silence()


@pytest.fixture(scope="module")
def spoiled(subject: Subject, receiver_url: str) -> Iterator[World]:
    """Another, whose things are changed at random."""
    with httpx.Client(base_url=subject.url, headers={"Authorization": f"Bearer {subject.token}"}) as client:
        world = World(client, fresh_name("raw input that is taken"), receiver_url)
        yield world
        world.silence()


@pytest.fixture(autouse=True)
def wire(subject: Subject) -> Iterator[Wire]:
    """The server must still be there when a test is over."""
    wire = Wire(subject)
    yield wire
    assert wire.ask("GET", "/service").status == 200


@often
@hypothesis.given(data=st.data())
def test_nonsensical_targets(wire: Wire, spoiled: World, data: st.DataObject) -> None:
    names = ["flows", "segments", "storage", "sources", "objects", "instances", "tags", "service", "profiles", "media"]
    names += ["webhooks", next(iter(spoiled.webhooks))]
    known = [
        quote(spoiled.objects[0], safe=""),
        spoiled.id("video"),
        spoiled.sources[0],
        spoiled.profile_id,
        TAG,
        *names,
    ]
    path = "/".join(data.draw(st.lists(st.one_of(st.sampled_from(known), TARGET), max_size=5)))
    query = data.draw(TARGET)
    method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "OPTIONS"]))
    body = data.draw(st.sampled_from([None, b"{}", b'"a"', b"[]"]))
    wire.ask(method, f"/{path}?{query}" if query else f"/{path}", body).check()


@often
@hypothesis.given(name=st.sampled_from(HEADERS), value=LINE, method=st.sampled_from(["GET", "PUT", "OPTIONS"]))
def test_nonsensical_headers(wire: Wire, world: World, name: str, value: str, method: str) -> None:
    path = f"/flows/{world.id('video')}/label"
    wire.ask(method, path, b'"a"' if method == "PUT" else None, {name: value}).check()


def _body_that_is_taken(world: World, line: str) -> tuple[str, Any]:
    """The path and a right body of one of WRITES."""
    fresh = world.id("of a body")
    instance = {"url": "https://media.example.com/a", "label": "a"}
    ids = {"video": world.id("video"), "multi": world.id("multi"), "source": world.sources[0], "fresh": fresh}
    ids["webhook"] = next(iter(world.webhooks))
    silent = world.webhook(status="disabled")
    segment = {"object_id": fresh, "timerange": "[900:0_901:0)", "get_urls": [instance], "key_frame_count": 1}
    bodies: dict[str, Any] = {
        "label": "text",
        "description": "text",
        "read_only": False,
        "max_bit_rate": 6000,
        TAG: ["red"],
        "flow_collection": world.flows[ids["multi"]]["flow_collection"],
        "segments": [segment] if "multi" in line else segment,
        "storage": {"limit": 1, "object_ids": [fresh], "content_type": "video/mp2t", "storage_id": world.storage_id},
        "instances": instance,
        "service": {"name": "text", "description": "text"},
        "webhooks": silent,
        "{webhook}": {**silent, "id": ids["webhook"]},
        "{video}": world.flows[ids["video"]],
        "{multi}": world.flows[ids["multi"]],
        "{fresh}": {"id": fresh, "label": "text", "tags": {}, "flow_metadata": TECHNICAL[VIDEO]},
    }
    path = line.replace("{object}", quote(world.objects[0], safe=""))
    return path.format_map(ids), bodies[PurePosixPath(line).name]


WRITES = (
    *("PUT /flows/{video}", "PUT /flows/{multi}", "PUT /flows/{video}/label", "PUT /flows/{video}/read_only"),
    *("PUT /flows/{video}/max_bit_rate", f"PUT /flows/{{video}}/tags/{TAG}", "PUT /flows/{multi}/flow_collection"),
    *("POST /flows/{video}/segments", "POST /flows/{multi}/segments", "POST /flows/{video}/storage", "POST /service"),
    *("POST /objects/{object}/instances", "PUT /sources/{source}/description", "POST /service/profiles/{fresh}"),
    *("POST /service/webhooks", "PUT /service/webhooks/{webhook}"),
)


@pytest.mark.parametrize("line", WRITES)
def test_nonsensical_bodies(wire: Wire, spoiled: World, line: str) -> None:
    spoiled.restore()
    path, body = _body_that_is_taken(spoiled, line)
    for nonsense in (*BODIES, *with_literals(body)):
        response = wire.ask(*path.split(" "), nonsense)
        response.check()
        if response.status < 300:
            spoiled.unlock()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 10**5, b"NaN", b"\xff", b"1e400", b'"\\ud800"', b'{"name": "\\u0000"}']
)
def test_json_that_cannot_be_stored_is_rejected(wire: Wire, body: bytes) -> None:
    assert wire.ask("POST", "/service", body).status == 400


@pytest.mark.parametrize("listing", LISTINGS)
def test_absurd_limits(wire: Wire, listing: str) -> None:
    for limit in LIMITS:
        wire.ask("GET", f"{listing}?limit={limit}").check()


@often
@hypothesis.given(data=st.data())
def test_modified_page_keys(wire: Wire, world: World, spoiled: World, data: st.DataObject) -> None:
    listing = data.draw(st.sampled_from([*LISTINGS, f"/flows/{world.id('video')}/segments"]))
    key = bytearray((world.page_key(listing, {}) or "").encode())
    assert key, f"{listing} has one page only"
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(key)))
        key[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    other = data.draw(st.sampled_from([listing, *LISTINGS]))
    filters = data.draw(
        st.sampled_from(["", "&reverse_order=true", "&sort_by=label", "&label=x", "&format=x", "&timerange=()"])
    )
    response = wire.ask("GET", f"{other}?page={quote(bytes(key))}{filters}")
    response.check()
    assert response.status in (200, 400)


@pytest.mark.parametrize("timerange", TIMERANGES)
def test_nonsensical_timeranges(wire: Wire, world: World, timerange: str) -> None:
    video = f"/flows/{world.id('video')}"
    escaped = quote(timerange, safe="%")
    for line in ("GET /flows", f"GET {video}", f"GET {video}/segments", f"DELETE {video}/segments"):
        wire.ask(*f"{line}?object_id=none&timerange={escaped}".split(" ")).check()


@pytest.fixture(scope="module")
def media_url(world: World) -> str:
    """Path and query of an object of ten bytes in the server's own store."""
    response = world.client.post(f"/flows/{world.id('video')}/storage", json={"limit": 1})
    [item] = response.json()["media_objects"]
    put = item["put_url"]
    httpx.put(put["url"], content=b"0123456789", headers={"Content-Type": put["content-type"]}).raise_for_status()
    segment = {"object_id": item["object_id"], "timerange": "[700:0_710:0)"}
    world.client.post(f"/flows/{world.id('video')}/segments", json=segment).raise_for_status()
    path = f"/objects/{quote(item['object_id'], safe='')}"
    [url] = [each["url"] for each in world.client.get(path, params={"presigned": True}).json()["get_urls"]]
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("range_", RANGES, ids=range(len(RANGES)))
def test_nonsensical_ranges(wire: Wire, media_url: str, range_: str) -> None:
    response = wire.ask("GET", media_url, headers={"Range": range_.encode()})
    assert response.status in (200, 206, 400, 416), response
    assert response.status >= 400 or response.body in b"0123456789" or "multipart" in response.headers["content-type"]


@often
@hypothesis.given(nonsense=TARGET, place=st.integers(0, 200), method=st.sampled_from(["GET", "PUT", "DELETE"]))
def test_nonsensical_media_urls(wire: Wire, media_url: str, nonsense: str, place: int, method: str) -> None:
    wire.ask(method, media_url[:place] + nonsense + media_url[place + 1 :], headers={"Authorization": ""}).check()
