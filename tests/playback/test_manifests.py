"""F19: DASH manifests of flows and sources over HTTP."""

import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from storage.catalog.playback import kept, recent_texts
from storage.catalog.playback.playlist_request import PlaylistRequest
from tests.api.in_process import Running
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO
from tests.conformance.kit.ids import fresh
from tests.playback.counted_calls import calls_in
from tests.playback.dash_rules import Manifest, check_reload, read_manifest
from tests.playback.flows import TODAY, add_segments, fill, new_init, put_flow, put_mp4, spans
from tests.unit.catalogs import BASE, CALLER

COMPLETE = {"status": "closed_complete"}


@pytest.fixture
def http(running: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of a server that keeps nothing, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    monkeypatch.setattr(kept, "KEEP_S", 0)
    return running.client


def pairs(*values: tuple[int, int]) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(one), Fraction(other)) for one, other in values]


def stored(http: httpx.Client, format_: str = VIDEO, **members: Any) -> str:
    """The id of a complete flow with segments."""
    flow_id = str(put_mp4(http, format_, **{**COMPLETE, **members})["id"])
    fill(http, flow_id, *spans(5))
    return flow_id


def manifest_of(http: httpx.Client, path: str, **query: Any) -> Manifest:
    response = http.get(f"{path}/output.mpd", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/dash+xml"
    assert response.headers["cache-control"] == "private, max-age=1"
    return read_manifest(response.text)


def test_a_complete_flow_is_static(http: httpx.Client) -> None:
    document = put_mp4(http, **COMPLETE)
    ids = fill(http, document["id"], *spans(5))
    found = manifest_of(http, f"/flows/{document['id']}")
    assert not found.is_dynamic
    assert found.duration == 10
    assert [(each.start, each.end) for each in found.pieces()] == pairs(*spans(5))
    assert all(id_ in each.url for id_, each in zip(ids, found.pieces(), strict=True))
    [track] = found.periods[0].tracks
    assert track.attributes["width"] == str(document["essence_parameters"]["frame_width"])
    assert track.pieces[0].media_start == TODAY


def test_times_are_those_of_the_media(http: httpx.Client) -> None:
    flow_id = put_mp4(http, **COMPLETE)["id"]
    fill(http, flow_id, *spans(3), ts_offset=f"{TODAY - 7}:0")
    found = manifest_of(http, f"/flows/{flow_id}", timerange=f"[{TODAY + 2}:0_{TODAY + 6}:0)")
    assert [(each.media_start, each.start) for each in found.pieces()] == pairs((9, 0), (11, 2))


def test_media_urls_need_no_credential_and_stay_the_same(http: httpx.Client) -> None:
    flow_id = stored(http)
    first, again = (manifest_of(http, f"/flows/{flow_id}") for _ in range(2))
    assert first == again
    assert "sig=" in urlsplit(first.pieces()[0].url).query


def test_gaps_and_changes_of_the_init_object_begin_periods(http: httpx.Client) -> None:
    flow_id = put_mp4(http, **COMPLETE)["id"]
    fill(http, flow_id, *spans(2))
    init = new_init(http, flow_id)
    fill(http, flow_id, *spans(2, 2), init_object_id=init)
    fill(http, flow_id, *spans(1, 7), init_object_id=init)
    found = manifest_of(http, f"/flows/{flow_id}")
    assert [(each.start, each.end) for each in found.periods] == pairs((0, 4), (4, 8), (8, 10))
    inits = [each.tracks[0].init_url for each in found.periods]
    assert inits[0] != inits[1] == inits[2]
    assert found.duration == 10


def test_ntsc_does_not_drift(http: httpx.Client) -> None:
    document = put_mp4(http, **COMPLETE)
    essence = {**document["essence_parameters"], "frame_rate": {"numerator": 30000, "denominator": 1001}}
    http.put(f"/flows/{document['id']}", json={**document, "essence_parameters": essence}).raise_for_status()
    init, count = new_init(http, document["id"]), 60
    slots = http.post(f"/flows/{document['id']}/storage", json={"limit": count}).json()["media_objects"]
    times = [round(n * 61 * Fraction(1001 * 10**9, 30000)) for n in range(count + 1)]
    items = [
        {
            "object_id": slot["object_id"],
            "init_object_id": init,
            "timerange": f"[{first // 10**9}:{first % 10**9}_{last // 10**9}:{last % 10**9})",
        }
        for slot, first, last in zip(slots, times, times[1:], strict=False)
    ]
    assert http.post(f"/flows/{document['id']}/segments", json=items).status_code == 201
    found = manifest_of(http, f"/flows/{document['id']}")
    [track] = found.periods[0].tracks
    assert (track.ticks, track.attributes["frameRate"]) == (30000, "30000/1001")
    assert [each.start for each in track.pieces] == [n * 61 * Fraction(1001, 30000) for n in range(count)]


def test_a_programme_has_pictures_sounds_and_languages(http: httpx.Client) -> None:
    source_id = fresh()
    videos = [stored(http, source_id=source_id, max_bit_rate=rate) for rate in (6000, 9000)]
    tags = {"hls_language": "cy", "hls_name": "Cymraeg <1> & ½", "hls_default": "true"}
    sounds = [stored(http, AUDIO, tags=tags), stored(http, AUDIO, tags={"hls_language": "en"})]
    multi = put_flow(http, MULTI, flow_collection=[{"id": id_} for id_ in (*videos, *sounds)])
    found = manifest_of(http, f"/flows/{multi['id']}")
    [period] = found.periods
    assert [each.attributes["id"] for each in period.tracks] == [*videos, *sounds]
    assert [each.attributes["contentType"] for each in period.tracks] == ["video", "video", "audio", "audio"]
    assert [each.attributes["bandwidth"] for each in period.tracks[:2]] == ["6000000", "9000000"]
    assert all(each.attributes["segmentAlignment"] == "true" for each in period.tracks)
    welsh, english = period.tracks[2:]
    assert (welsh.attributes["lang"], welsh.label, welsh.roles) == ("cy", "Cymraeg <1> & ½", ["main"])
    assert (english.attributes["lang"], english.roles) == ("en", [])
    of_source = manifest_of(http, f"/sources/{source_id}")
    assert [each.attributes["id"] for each in of_source.periods[0].tracks] == videos


def test_what_dash_cannot_carry_is_no_part(http: httpx.Client) -> None:
    video, stream = stored(http), put_flow(http, **COMPLETE)["id"]
    add_segments(http, stream, *spans(3))
    multi = put_flow(http, MULTI, flow_collection=[{"id": id_} for id_ in (video, stream)])
    [period] = manifest_of(http, f"/flows/{multi['id']}").periods
    assert [each.attributes["id"] for each in period.tracks] == [video]


@pytest.mark.parametrize(
    ("format_", "members", "field"),
    [
        (IMAGE, {}, "container"),
        (DATA, {"codec": "text/vtt", "container": "text/vtt"}, "container"),
        (VIDEO, {}, "container"),
        (VIDEO, {"container": "video/mp4"}, "essence_parameters.init_segments"),
        (VIDEO, {"tags": {"hls_exclude": "true"}}, "tags.hls_exclude"),
    ],
)
@pytest.mark.parametrize("where", ["flow", "multi", "source"])
def test_what_dash_cannot_carry_is_rejected_with_the_reason(
    http: httpx.Client, where: str, format_: str, members: dict[str, Any], field: str
) -> None:
    document = put_flow(http, format_, **members)
    path = f"/flows/{document['id']}" if where == "flow" else f"/sources/{document['source_id']}"
    if where == "multi":
        path = f"/flows/{put_flow(http, MULTI, flow_collection=[{'id': document['id']}])['id']}"
    response = http.get(f"{path}/output.mpd")
    assert (response.status_code, response.json()["code"]) == (415, "playback.unsuitable")
    assert response.json()["field"] == field
    assert any(id_ in response.json()["detail"] for id_ in (document["id"], document["source_id"]))


def test_a_live_flow_is_dynamic_and_its_segments_do_not_move(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = put_mp4(http, status="ingesting")
    init = new_init(http, document["id"])
    last = None
    for number in range(0, 60, 3):
        # With a gap of one segment in every six.
        times = spans(3 if number % 6 else 2, number)
        fill(http, document["id"], *times, init_object_id=init)
        found = manifest_of(http, f"/flows/{document['id']}", window=20)
        assert found.is_dynamic
        assert seconds_between(found) <= 22
        if last is not None:
            check_reload(last, found)
            assert last.pieces()[-1].end < found.pieces()[-1].end
        last = found
    assert last is not None
    assert len(last.periods) == 1
    assert last.attributes["timeShiftBufferDepth"] == "PT20S"
    assert last.attributes["minimumUpdatePeriod"] == "PT2S"
    monkeypatch.setattr("storage.catalog.playback.dash._KEPT_S", 3600)
    http.put(f"/flows/{document['id']}", json={**document, **COMPLETE}).raise_for_status()
    assert last.location is not None
    ended = read_manifest(http.get(last.location).raise_for_status().text)
    check_reload(last, ended)
    assert ended.is_dynamic
    assert ended.duration == ended.pieces()[-1].end
    # Players that have read all of it stop when it is static, and so learn that it has ended.
    monkeypatch.setattr("storage.catalog.playback.dash._KEPT_S", -3.999)
    static = read_manifest(http.get(last.location).raise_for_status().text)
    check_reload(ended, static)
    assert not static.is_dynamic
    assert static.location is None
    assert (static.duration, static.pieces()) == (ended.duration, ended.pieces())
    assert [each.id for each in static.periods] == [each.id for each in ended.periods]
    # Who opens the end of the flow only now has nothing to keep in its place, and no decades before it.
    opened = manifest_of(http, f"/flows/{document['id']}", type="live", window=20)
    assert not opened.is_dynamic
    assert opened.periods[0].start == opened.pieces()[0].start == 0
    assert [each.url for each in opened.pieces()] == [each.url for each in static.pieces()]
    assert opened.duration <= 20
    assert static.attributes["publishTime"] > ended.attributes["publishTime"]
    assert not manifest_of(http, f"/flows/{document['id']}").is_dynamic


@pytest.mark.parametrize("type_", ["vod", "event", "live"])
def test_a_manifest_keeps_its_timeline_when_the_flow_is_completed(http: httpx.Client, type_: str) -> None:
    document = put_mp4(http, status="ingesting")
    fill(http, document["id"], *spans(5))
    growing = manifest_of(http, f"/flows/{document['id']}", type=type_)
    http.put(f"/flows/{document['id']}", json={**document, **COMPLETE}).raise_for_status()
    assert growing.location is not None
    complete = read_manifest(http.get(growing.location).raise_for_status().text)
    check_reload(growing, complete)
    assert [each.id for each in complete.periods] == [each.id for each in growing.periods]
    assert complete.pieces() == growing.pieces()


def seconds_between(found: Manifest) -> Fraction:
    return found.pieces()[-1].end - found.pieces()[0].start


def test_the_places_of_live_segments_are_times_of_day(http: httpx.Client) -> None:
    flow_id = put_mp4(http, status="ingesting")["id"]
    fill(http, flow_id, *spans(5))
    found = manifest_of(http, f"/flows/{flow_id}")
    begin = datetime.fromisoformat(found.attributes["availabilityStartTime"])
    # TAI is 37 s ahead of UTC since 2017.
    expected = datetime.fromtimestamp(TODAY - 37, UTC)
    assert begin + timedelta(seconds=float(found.pieces()[0].start)) == expected
    assert found.time is not None
    assert abs(found.time.timestamp() - time.time()) < 60


def test_a_timeline_near_zero_begins_when_the_flow_was_created(http: httpx.Client) -> None:
    document = put_mp4(http, status="ingesting")
    created = http.get(f"/flows/{document['id']}").json()["created"]
    fill(http, document["id"], *((n - TODAY, n + 2 - TODAY) for n in range(0, 10, 2)))
    found = manifest_of(http, f"/flows/{document['id']}", type="event")
    begin = datetime.fromisoformat(found.attributes["availabilityStartTime"])
    assert abs(begin - datetime.fromisoformat(created)) < timedelta(seconds=1.1)
    assert [each.start for each in found.pieces()] == [0, 2, 4, 6, 8]
    assert "timeShiftBufferDepth" not in found.attributes


def test_players_reload_by_a_signed_url(running: Running, http: httpx.Client) -> None:
    document = put_mp4(http, status="ingesting")
    fill(http, document["id"], *spans(5))
    for path in (f"/flows/{document['id']}", f"/sources/{document['source_id']}"):
        found = manifest_of(http, path, timerange=f"[{TODAY}:0_{TODAY + 100}:0)")
        assert found.location is not None
        again = read_manifest(running.stranger().get(found.location).raise_for_status().text)
        assert (again.periods, again.location) == (found.periods, found.location)
        for changed in (found.location.replace("type=event", "type=live"), found.location.replace(".mpd", ".m3u8")):
            assert running.stranger().get(changed).status_code in (401, 403), changed


def test_manifests_are_read_with_the_scope_read(running: Running, http: httpx.Client) -> None:
    flow_id = stored(http)
    source_id = http.get(f"/flows/{flow_id}").json()["source_id"]
    for path in (f"/flows/{flow_id}/output.mpd", f"/sources/{source_id}/output.mpd"):
        assert running.stranger().get(path).status_code == 401
        assert running.with_scopes("write").get(path).status_code == 403
        assert running.with_scopes("read").head(path).status_code == 200
    assert http.get(f"/flows/{fresh()}/output.mpd").status_code == 404


def test_nothing_to_play_is_not_found(http: httpx.Client) -> None:
    flow_id = put_mp4(http, status="ingesting")["id"]
    assert http.get(f"/flows/{flow_id}/output.mpd").json()["code"] == "playback.empty"
    response = http.get(f"/flows/{stored(http)}/output.mpd", params={"timerange": "[5:0_6:0)"})
    assert (response.status_code, response.json()["code"]) == (404, "playback.empty")


def test_more_segments_than_a_manifest_has_are_rejected(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all its flows together."""
    video, sound = stored(http), stored(http, AUDIO)
    path = f"/flows/{put_flow(http, MULTI, flow_collection=[{'id': video}, {'id': sound}])['id']}/output.mpd"
    monkeypatch.setattr("storage.catalog.playback.flow_media.MOST_SEGMENTS", 9)
    response = http.get(path)
    assert (response.status_code, response.json()["field"]) == (400, "timerange")
    assert http.get(path, params={"timerange": f"_{TODAY + 8}:0)"}).status_code == 200


def test_periods_are_bounded(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    flow_id = put_mp4(http, **COMPLETE)["id"]
    fill(http, flow_id, *((3 * n, 3 * n + 2) for n in range(4)))
    monkeypatch.setattr("storage.catalog.playback.dash.MOST_PERIODS", 3)
    assert http.get(f"/flows/{flow_id}/output.mpd").json()["field"] == "timerange"


@pytest.mark.parametrize("query", [{"type": "dvr"}, {"window": 9}, {"timerange": "yesterday"}])
def test_invalid_parameters_are_rejected(http: httpx.Client, query: dict[str, str]) -> None:
    response = http.get(f"/flows/{put_mp4(http)['id']}/output.mpd", params=query)
    assert (response.status_code, response.json()["field"]) == (400, next(iter(query)))


def test_ten_thousand_segments(running: Running, http: httpx.Client) -> None:
    flow_id = put_mp4(http, **COMPLETE)["id"]
    fill(http, flow_id, *spans(10_000))
    playback = running.catalog.playback
    request = PlaylistRequest(type="vod")
    # Each segment takes 48 calls.
    assert calls_in(lambda: playback.manifest(CALLER, "flow", flow_id, request, BASE)) < 550_000
    found = manifest_of(http, f"/flows/{flow_id}", type="vod")
    assert len(found.pieces()) == 10_000
    assert found.duration == 20_000
