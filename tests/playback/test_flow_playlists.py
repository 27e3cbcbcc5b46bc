"""F19: media playlists of flows over HTTP."""

from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from storage.catalog.playback import recent_texts
from storage.catalog.playback.playlist_request import PlaylistRequest
from storage.playback.numbering import SEED
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, init_flow
from tests.conformance.kit.ids import fresh
from tests.playback.counted_calls import calls_in
from tests.playback.flows import TODAY, add_segments, playlist_of, put_flow, spans
from tests.playback.rules import check_reload
from tests.unit.catalogs import BASE, CALLER
from tests.unit.playback.transport_packets import key_frame


@pytest.fixture
def http(running: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of a server that keeps no playlists, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    return running.client


def test_a_complete_flow_is_a_vod_playlist(http: httpx.Client) -> None:
    flow_id = put_flow(http, status="closed_complete")["id"]
    ids = add_segments(http, flow_id, *spans(5))
    found = playlist_of(http, flow_id)
    assert found.tags["EXT-X-PLAYLIST-TYPE"] == "VOD"
    assert found.is_complete
    assert [each.duration for each in found.segments] == [2] * 5
    assert all(id_ in each.uri for id_, each in zip(ids, found.segments, strict=True))


def test_media_urls_need_no_credential_and_stay_the_same(running: Running, http: httpx.Client) -> None:
    document = put_flow(http, status="closed_complete")
    slot = http.post(f"/flows/{document['id']}/storage", json={"limit": 1}).json()["media_objects"][0]
    httpx.put(slot["put_url"]["url"], content=b"media", headers={"Content-Type": "video/mp2t"}).raise_for_status()
    segment = {"object_id": slot["object_id"], "timerange": "[0:0_2:0)"}
    http.post(f"/flows/{document['id']}/segments", json=segment).raise_for_status()
    [found] = playlist_of(http, document["id"]).segments
    assert httpx.get(found.uri).content == b"media"
    assert urlsplit(found.uri).path.endswith(".ts")
    assert playlist_of(http, document["id"]).segments == [found]


@pytest.mark.parametrize("status", ["ingesting", "awaiting_content", "replication_in_progress"])
def test_an_unfinished_flow_does_not_end_until_its_status_says_so(http: httpx.Client, status: str) -> None:
    document = put_flow(http, status=status)
    add_segments(http, document["id"], *spans(5))
    for type_ in ("vod", "event", "live"):
        assert not playlist_of(http, document["id"], type=type_).is_complete
    http.put(f"/flows/{document['id']}", json={**document, "status": "closed_complete"}).raise_for_status()
    for type_ in ("vod", "event", "live"):
        assert playlist_of(http, document["id"], type=type_).is_complete


def test_a_flow_without_a_status_ends_when_nothing_has_been_added_for_a_while(
    running: Running, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = put_flow(http)["id"]
    add_segments(http, flow_id, *spans(3))
    assert not playlist_of(http, flow_id).is_complete
    monkeypatch.setattr("storage.catalog.playback.completeness._QUIET_S", -1)
    monkeypatch.setattr("storage.catalog.playback.completeness._QUIET_SEGMENTS", 0)
    assert playlist_of(http, flow_id).is_complete


@pytest.mark.parametrize("timerange", [None, f"[{TODAY}:0_{TODAY + 3600}:0)"])
@pytest.mark.parametrize("ends", ["by its status", "after a while"])
def test_completion_only_ends_what_players_reload(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, timerange: str | None, ends: str
) -> None:
    document = put_flow(http, **({"status": "ingesting"} if ends == "by its status" else {}))
    query = {} if timerange is None else {"timerange": timerange}
    add_segments(http, document["id"], *spans(40))
    first = playlist_of(http, document["id"], **query)
    add_segments(http, document["id"], *spans(2, 40))
    before = playlist_of(http, document["id"], **query)
    check_reload(first, before)
    assert not before.is_complete
    if ends == "by its status":
        http.put(f"/flows/{document['id']}", json={**document, "status": "closed_complete"}).raise_for_status()
    else:
        monkeypatch.setattr("storage.catalog.playback.completeness._QUIET_S", -1)
        monkeypatch.setattr("storage.catalog.playback.completeness._QUIET_SEGMENTS", 0)
    after = playlist_of(http, document["id"], **query)
    check_reload(before, after)
    assert after.tags == {**before.tags, "EXT-X-ENDLIST": ""}
    assert after.segments == before.segments
    # Nobody reloads it any more some time later.
    monkeypatch.setattr("storage.catalog.playback.completeness._RECENT_S", -1)
    finished = playlist_of(http, document["id"], **query)
    assert finished.tags["EXT-X-PLAYLIST-TYPE"] == "VOD"
    assert len(finished.segments) == 42


def test_a_vod_playlist_of_a_growing_flow_only_ends(http: httpx.Client) -> None:
    document = put_flow(http, status="ingesting")
    add_segments(http, document["id"], *spans(3))
    before = playlist_of(http, document["id"], type="vod")
    http.put(f"/flows/{document['id']}", json={**document, "status": "closed_complete"}).raise_for_status()
    after = playlist_of(http, document["id"], type="vod")
    assert after.tags == {**before.tags, "EXT-X-ENDLIST": ""}


def test_what_lies_before_the_end_of_a_growing_flow_is_complete(http: httpx.Client) -> None:
    flow_id = put_flow(http, status="ingesting")["id"]
    add_segments(http, flow_id, *spans(5))
    found = playlist_of(http, flow_id, timerange=f"[{TODAY + 3}:0_{TODAY + 6}:0)")
    assert found.is_complete
    assert len(found.segments) == 2
    assert found.tags["EXT-X-START"].startswith("TIME-OFFSET=1.000000000")
    assert not playlist_of(http, flow_id, timerange=f"[{TODAY + 3}:0_{TODAY + 60}:0)").is_complete


def test_an_event_playlist_only_grows(http: httpx.Client) -> None:
    document = put_flow(http, status="ingesting")
    add_segments(http, document["id"], *spans(3))
    last = playlist_of(http, document["id"], type="event")
    assert last.tags["EXT-X-PLAYLIST-TYPE"] == "EVENT"
    for number in range(3, 8):
        add_segments(http, document["id"], *spans(1, number))
        found = playlist_of(http, document["id"], type="event")
        check_reload(last, found)
        assert len(found.segments) == number + 1
        last = found


def test_a_live_playlist_slides_with_stable_numbers(http: httpx.Client) -> None:
    flow_id = put_flow(http, status="ingesting")["id"]
    last = None
    for number in range(0, 60, 3):
        # With a gap of one segment in every six.
        add_segments(http, flow_id, *spans(3 if number % 6 else 2, number))
        found = playlist_of(http, flow_id, window=20)
        assert found.duration <= 22 or len(found.segments) == 4
        assert "EXT-X-PLAYLIST-TYPE" not in found.tags
        if last is not None:
            check_reload(last, found)
        last = found
    wide, narrow = playlist_of(http, flow_id, window=60), playlist_of(http, flow_id, window=20)
    by_uri = {each.uri: (each.number, each.discontinuity) for each in wide.segments}
    assert all(by_uri[each.uri] == (each.number, each.discontinuity) for each in narrow.segments)


def test_the_target_duration_of_a_live_playlist_stays(http: httpx.Client) -> None:
    """Although the longest segment leaves the window."""
    flow_id = put_flow(http, status="ingesting")["id"]
    add_segments(http, flow_id, (0, 6), *((6 + 2 * n, 8 + 2 * n) for n in range(4)))
    last = playlist_of(http, flow_id, window=10)
    for number in range(4, 12):
        add_segments(http, flow_id, (6 + 2 * number, 8 + 2 * number))
        found = playlist_of(http, flow_id, window=10)
        check_reload(last, found)
        last = found
    assert last.target == 6
    assert max(each.duration for each in last.segments) == 2


def test_jitter_changes_no_segment_of_a_live_playlist(http: httpx.Client) -> None:
    flow_id = put_flow(http, status="ingesting")["id"]
    last = None
    for number in range(16):
        slot = http.post(f"/flows/{flow_id}/storage", json={"limit": 1}).json()["media_objects"][0]
        # Each ends half a millisecond early.
        timerange = f"[{TODAY + 2 * number}:0_{TODAY + 2 * number + 1}:999500000)"
        item = {"object_id": slot["object_id"], "timerange": timerange}
        http.post(f"/flows/{flow_id}/segments", json=item).raise_for_status()
        found = playlist_of(http, flow_id, window=10)
        if last is not None:
            check_reload(last, found)
        last = found
    assert last is not None
    assert last.duration == 2 * len(last.segments)


def test_live_numbers_survive_deletion_and_restart(tmp_path: Path) -> None:
    numbers: dict[str, tuple[int, int]] = {}
    flow_id = ""
    for run in range(3):
        with serving(tmp_path) as running:
            http = running.client
            if not flow_id:
                flow_id = put_flow(http, status="ingesting")["id"]
            add_segments(http, flow_id, *spans(10, 10 * run))
            # All but the last segments go, as retention has it.
            end = TODAY + 20 * run + 12
            http.delete(f"/flows/{flow_id}/segments", params={"timerange": f"_{end}:0)"}).raise_for_status()
            found = playlist_of(http, flow_id, type="live", window=30)
            for each in found.segments:
                path = urlsplit(each.uri).path.rpartition("/")[2]
                assert numbers.setdefault(path, (each.number, each.discontinuity)) == (each.number, each.discontinuity)
    # What was deleted before anyone could see it is a gap, and so has numbers.
    first = min(numbers.values())[0]
    assert sorted(numbers.values()) == [(first + 10 * run + n, SEED) for run in range(3) for n in range(4)]


def test_segments_that_use_a_part_of_an_object_are_left_out(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.catalog.playback.completeness._RECENT_S", -1)
    flow_id = put_flow(http, status="closed_complete")["id"]
    add_segments(http, flow_id, (0, 2))
    add_segments(http, flow_id, (2, 4), object_timerange=f"[{TODAY + 1}:0_{TODAY + 4}:0)")
    add_segments(http, flow_id, (4, 6))
    found = playlist_of(http, flow_id)
    assert [each.is_discontinuous for each in found.segments] == [False, True]
    assert found.comments == ["# Left out: 1 segments that use only a part of their object"]


@pytest.mark.parametrize("type_", ["event", "vod"])
def test_a_part_that_becomes_readable_is_not_inserted(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    monkeypatch.setattr("storage.catalog.playback.kept.KEEP_S", 0)
    document = put_flow(http, status="ingesting")
    flow_id = document["id"]
    pieces = [key_frame(90_000 * second) for second in range(3)]
    slot = http.post(f"/flows/{flow_id}/storage", json={"limit": 1}).json()["media_objects"][0]
    part = {"object_id": slot["object_id"], "timerange": f"[{TODAY + 1}:0_{TODAY + 2}:0)"}
    offset = {"ts_offset": f"{TODAY}:0", "object_timerange": "[0:0_3:0)"}
    http.post(f"/flows/{flow_id}/segments", json=part | offset).raise_for_status()
    assert http.get(f"/flows/{flow_id}/output.m3u8", params={"type": type_}).status_code == 415
    add_segments(http, flow_id, (2, 4))
    playlists = [playlist_of(http, flow_id, type=type_)]
    headers = {"Content-Type": "video/mp2t"}
    httpx.put(slot["put_url"]["url"], content=b"".join(pieces), headers=headers).raise_for_status()
    playlists.append(playlist_of(http, flow_id, type=type_))
    http.put(f"/flows/{flow_id}", json={**document, "status": "closed_complete"}).raise_for_status()
    playlists.append(playlist_of(http, flow_id, type=type_))
    for earlier, later in pairwise(playlists):
        check_reload(earlier, later)
    assert [[each.is_gap for each in found.segments] for found in playlists] == [[True, False], *[[False, False]] * 2]
    assert playlists[-1].segments[0].byte_range == (len(pieces[0]), len(pieces[0]) + len(pieces[1]) + 2 * 188)


def test_a_part_that_cannot_be_told_stays_a_gap_while_players_reload(http: httpx.Client) -> None:
    document = put_flow(http, status="ingesting")
    add_segments(http, document["id"], (0, 2))
    add_segments(http, document["id"], (2, 4), object_timerange=f"[{TODAY + 1}:0_{TODAY + 4}:0)")
    growing = playlist_of(http, document["id"], type="event")
    add_segments(http, document["id"], (4, 6))
    http.put(f"/flows/{document['id']}", json={**document, "status": "closed_complete"}).raise_for_status()
    found = playlist_of(http, document["id"], type="event")
    check_reload(growing, found)
    assert [each.is_gap for each in found.segments] == [False, True, False]
    assert not any(each.is_discontinuous for each in found.segments)
    span = f"[{TODAY + 2}:0_{TODAY + 4}:0)"
    response = http.get(f"/flows/{document['id']}/output.m3u8", params={"timerange": span})
    assert response.status_code == 415
    assert "part of their object" in response.json()["detail"]


@pytest.mark.parametrize(
    ("format_", "members", "field"),
    [
        (IMAGE, {}, "container"),
        (DATA, {}, "container"),
        (MULTI, {}, "container"),
        (VIDEO, {"container": None}, "container"),
        (VIDEO, {"container": "application/mxf"}, "container"),
        (VIDEO, {"codec": "video/jxsv"}, "codec"),
        (VIDEO, {"container": "video/mp4"}, "essence_parameters.init_segments"),
        (AUDIO, {"codec": "audio/x-raw-int", "container": "audio/wav"}, "container"),
        (VIDEO, {"tags": {"hls_exclude": "true"}}, "tags.hls_exclude"),
    ],
)
def test_what_hls_cannot_carry_is_rejected_with_the_reason(
    http: httpx.Client, format_: str, members: dict[str, object], field: str
) -> None:
    flow_id = put_flow(http, format_, **members)["id"]
    response = http.get(f"/flows/{flow_id}/output.m3u8")
    assert (response.status_code, response.json()["code"]) == (415, "playback.unsuitable")
    assert response.json()["field"] == field
    assert flow_id in response.json()["detail"]


def test_init_objects_become_maps(http: httpx.Client) -> None:
    document = init_flow(status="closed_complete")
    http.put(f"/flows/{document['id']}", json=document).raise_for_status()
    inits = []
    for number in range(2):
        body = {"limit": 1, "content_type": "video/mp4"}
        slot = http.post(f"/flows/{document['id']}/storage", json=body).raise_for_status().json()["media_objects"][0]
        inits.append(slot["object_id"])
        add_segments(http, document["id"], *spans(3, 3 * number), init_object_id=inits[-1])
    found = playlist_of(http, document["id"])
    assert [inits.index(_object_id(each.map_uri)) for each in found.segments] == [0, 0, 0, 1, 1, 1]
    assert [each.is_discontinuous for each in found.segments] == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("url", "is_gap"),
    [
        ("https://cdn.example/a.ts?x=1", False),
        ('https://cdn.example/"a b.ts', True),
        ("https://cdn.example/a\x7f.ts", True),
    ],
)
def test_media_elsewhere_is_played_from_there(http: httpx.Client, url: str, is_gap: bool) -> None:
    flow_id = put_flow(http, status="closed_complete")["id"]
    item = {"object_id": fresh(), "timerange": "[0:0_2:0)", "get_urls": [{"url": url, "label": "cdn"}]}
    assert http.post(f"/flows/{flow_id}/segments", json=item).status_code == 201
    [found] = playlist_of(http, flow_id).segments
    assert (found.is_gap, found.uri == url) == (is_gap, not is_gap)


def test_a_flow_that_is_empty(http: httpx.Client) -> None:
    growing, complete = put_flow(http, status="ingesting")["id"], put_flow(http, status="closed_complete")["id"]
    assert playlist_of(http, growing).segments == []
    assert http.get(f"/flows/{complete}/output.m3u8").status_code == 404


def test_ten_thousand_segments(running: Running, http: httpx.Client) -> None:
    flow_id = put_flow(http, status="closed_complete")["id"]
    add_segments(http, flow_id, *spans(10_000))
    playback = running.catalog.playback
    # Each segment takes 33 calls, half of them to sign its URL.
    assert calls_in(lambda: playback.flow_playlist(CALLER, flow_id, PlaylistRequest(), BASE)) < 400_000
    found = playlist_of(http, flow_id)
    assert len(found.segments) == 10_000
    assert found.duration == 20_000


def test_more_segments_than_a_playlist_has_are_rejected(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.playback.flow_media.MOST_SEGMENTS", 10)
    flow_id = put_flow(http, status="closed_complete")["id"]
    add_segments(http, flow_id, *spans(11))
    response = http.get(f"/flows/{flow_id}/output.m3u8")
    assert (response.status_code, response.json()["field"]) == (400, "timerange")
    assert len(playlist_of(http, flow_id, timerange=f"_{TODAY + 20}:0)").segments) == 10


@pytest.mark.parametrize("query", [{"type": "dvr"}, {"window": 9}, {"window": 14401}, {"timerange": "yesterday"}])
def test_invalid_parameters_are_rejected(http: httpx.Client, query: dict[str, str]) -> None:
    response = http.get(f"/flows/{put_flow(http)['id']}/output.m3u8", params=query)
    assert (response.status_code, response.json()["field"]) == (400, next(iter(query)))


def test_playlists_are_read_with_the_scope_read(running: Running) -> None:
    flow_id = put_flow(running.client, status="closed_complete")["id"]
    add_segments(running.client, flow_id, *spans(1))
    path = f"/flows/{flow_id}/output.m3u8"
    assert running.stranger().get(path).status_code == 401
    assert running.with_scopes("write").get(path).status_code == 403
    reader = running.with_scopes("read")
    assert reader.get(path).status_code == 200
    head = reader.head(path)
    assert (head.status_code, head.content) == (200, b"")
    token = reader.headers["authorization"].removeprefix("Bearer ")
    assert running.stranger().get(path, params={"access_token": token}).status_code == 200
    assert reader.get(f"/flows/{put_flow(running.client)['source_id']}/output.m3u8").status_code == 404


def _object_id(url: str | None) -> str:
    return urlsplit(url or "").path.rpartition("/")[2].partition(".")[0]
