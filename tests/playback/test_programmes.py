"""F19: multivariant playlists of sources and of multi flows over HTTP."""

import httpx
import pytest

from storage.catalog.playback import kept, recent_texts
from storage.timerange import NS
from tests.api.in_process import Running
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO
from tests.conformance.kit.ids import fresh
from tests.playback.flows import TODAY, add_segments, playlist_of, put_flow, spans
from tests.playback.rules import Multivariant, Playlist, check_reload, read_media_playlist, read_multivariant_playlist

COMPLETE = {"status": "closed_complete"}


@pytest.fixture
def http(running: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of a server that keeps nothing, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    monkeypatch.setattr(kept, "KEEP_S", 0)
    return running.client


def programme(http: httpx.Client, path: str, **query: str) -> Multivariant:
    response = http.get(f"{path}/output.m3u8", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.apple.mpegurl"
    return read_multivariant_playlist(response.text)


def stored(http: httpx.Client, format_: str = VIDEO, **members: object) -> str:
    """The id of a complete flow with segments."""
    flow_id = str(put_flow(http, format_, **COMPLETE, **members)["id"])
    add_segments(http, flow_id, *spans(5))
    return flow_id


def collecting(http: httpx.Client, *ids: str, **members: object) -> dict[str, str]:
    return put_flow(http, MULTI, flow_collection=[{"id": id_} for id_ in ids], **members)


def flows_in(found: Multivariant) -> list[str]:
    return [each["URI"].split("/")[3] for each in [*found.variants, *found.media]]


def test_a_multi_flow_is_a_programme_of_what_it_collects(http: httpx.Client) -> None:
    video, sound = stored(http), stored(http, AUDIO, tags={"hls_language": "en"})
    text = stored(http, DATA, codec="text/vtt", container="text/vtt")
    multi = collecting(http, video, sound, text)
    found = programme(http, f"/flows/{multi['id']}")
    assert flows_in(found) == [video, sound, text]
    assert found.media[0]["LANGUAGE"] == "en"
    assert flows_in(programme(http, f"/sources/{multi['source_id']}")) == flows_in(found)


def test_the_uris_lead_to_media_playlists_of_the_same_request(http: httpx.Client) -> None:
    video = stored(http)
    multi = collecting(http, video)
    timerange = f"[{TODAY + 2}:0_{TODAY + 6}:0)"
    [variant] = programme(http, f"/flows/{multi['id']}", timerange=timerange, type="vod", window="90").variants
    url = httpx.URL(f"{http.base_url}/flows/{multi['id']}/output.m3u8").join(variant["URI"])
    params = {name: value for name, value in url.params.items() if name not in ("exp", "sig")}
    assert params == {"timerange": timerange, "type": "vod", "window": "90"}
    assert len(read_media_playlist(http.get(url).text).segments) == 2


def test_the_flows_of_a_source_are_its_variants(http: httpx.Client) -> None:
    source_id = fresh()
    small = stored(http, source_id=source_id, avg_bit_rate=1000, max_bit_rate=1500)
    large = stored(http, source_id=source_id, avg_bit_rate=5000, max_bit_rate=8000)
    found = programme(http, f"/sources/{source_id}")
    assert flows_in(found) == [large, small]
    assert [(each["BANDWIDTH"], each["AVERAGE-BANDWIDTH"]) for each in found.variants] == [
        ("8000000", "5000000"),
        ("1500000", "1000000"),
    ]


def test_bit_rates_are_measured_where_the_flow_states_none(http: httpx.Client) -> None:
    flow_id = str(put_flow(http, **COMPLETE, avg_bit_rate=None)["id"])
    slots = http.post(f"/flows/{flow_id}/storage", json={"limit": 3}).json()["media_objects"]
    for number, slot in enumerate(slots):
        url, size = slot["put_url"]["url"], 1000 * (number + 1)
        httpx.put(url, content=bytes(size), headers={"Content-Type": "video/mp2t"}).raise_for_status()
        item = {"object_id": slot["object_id"], "timerange": f"[{2 * number}:0_{2 * number + 2}:0)"}
        http.post(f"/flows/{flow_id}/segments", json=item).raise_for_status()
    [variant] = programme(http, f"/flows/{collecting(http, flow_id)['id']}").variants
    assert (variant["BANDWIDTH"], variant["AVERAGE-BANDWIDTH"]) == ("12000", "8000")


def test_what_is_excluded_or_cannot_be_played_is_no_part(http: httpx.Client) -> None:
    video, hidden = stored(http), stored(http, tags={"hls_exclude": "True"})
    picture = str(put_flow(http, IMAGE, **COMPLETE)["id"])
    empty = str(put_flow(http, **COMPLETE)["id"])
    multi = collecting(http, video, hidden, picture, empty)
    assert flows_in(programme(http, f"/flows/{multi['id']}")) == [video]


@pytest.mark.parametrize("where", ["flow", "source"])
def test_what_has_nothing_to_play_is_rejected_with_the_reason(http: httpx.Client, where: str) -> None:
    source_id = fresh()
    flow_id = put_flow(http, IMAGE, source_id=source_id)["id"]
    multi = collecting(http, str(flow_id))
    path = f"/flows/{multi['id']}" if where == "flow" else f"/sources/{source_id}"
    response = http.get(f"{path}/output.m3u8")
    assert (response.status_code, response.json()["code"]) == (415, "playback.unsuitable")
    assert flow_id in response.json()["detail"]


def test_subtitles_alone_are_no_programme(http: httpx.Client) -> None:
    multi = collecting(http, stored(http, DATA, codec="text/vtt", container="text/vtt"))
    response = http.get(f"/flows/{multi['id']}/output.m3u8")
    assert (response.status_code, response.json()["code"]) == (415, "playback.unsuitable")


@pytest.mark.parametrize("value", ["true", ["true"]], ids=str)
def test_a_source_may_be_excluded(http: httpx.Client, value: str | list[str]) -> None:
    source_id = fresh()
    stored(http, source_id=source_id)
    http.put(f"/sources/{source_id}/tags/hls_exclude", json=value).raise_for_status()
    assert http.get(f"/sources/{source_id}/output.m3u8").status_code == 415


def test_a_multi_flow_with_media_of_its_own_is_played_as_it_is(http: httpx.Client) -> None:
    multi = put_flow(http, MULTI, container="video/mp2t", **COMPLETE)
    add_segments(http, multi["id"], *spans(3))
    assert len(read_media_playlist(http.get(f"/flows/{multi['id']}/output.m3u8").text).segments) == 3
    assert flows_in(programme(http, f"/sources/{multi['source_id']}")) == [multi["id"]]


def test_a_programme_outside_the_timerange_or_of_no_source_is_not_found(running: Running, http: httpx.Client) -> None:
    multi = collecting(http, stored(http))
    path = f"/flows/{multi['id']}/output.m3u8"
    assert http.get(path, params={"timerange": "[5:0_6:0)"}).status_code == 404
    assert http.get(f"/sources/{fresh()}/output.m3u8").status_code == 404
    assert running.stranger().get(f"/sources/{multi['source_id']}/output.m3u8").status_code == 401
    assert running.with_scopes("write").get(f"/sources/{multi['source_id']}/output.m3u8").status_code == 403
    assert running.with_scopes("read").head(f"/sources/{multi['source_id']}/output.m3u8").content == b""


def test_slow_stores_do_not_hold_a_programme_beyond_its_deadline(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has been measured is kept, so that a retry needs the rest only."""
    monkeypatch.setattr(kept, "KEEP_S", 600)
    path = f"/flows/{collecting(http, stored(http), stored(http))['id']}"
    with monkeypatch.context() as patch:
        patch.setattr("storage.catalog.playback.object_content.READING_S", -1.0)
        assert http.get(f"{path}/output.m3u8").status_code == 503
    assert len(programme(http, path).variants) == 2


def test_a_live_programme_stays_live_when_its_flow_is_completed(http: httpx.Client) -> None:
    document = put_flow(http, status="ingesting")
    add_segments(http, document["id"], *spans(5))
    path = f"/flows/{collecting(http, document['id'])['id']}"
    [variant] = programme(http, path).variants
    url = httpx.URL(f"{http.base_url}{path}/output.m3u8").join(variant["URI"])
    assert url.params["type"] == "live"
    before = read_media_playlist(http.get(url).text)
    http.put(f"/flows/{document['id']}", json={**document, "status": "closed_complete"}).raise_for_status()
    after = read_media_playlist(http.get(url).text)
    check_reload(before, after)
    assert after.is_complete
    [variant] = programme(http, path).variants
    assert httpx.URL(f"http://x{variant['URI'].removeprefix('../..')}").params["type"] == "vod"


def numbers_by_time(found: Playlist) -> dict[float, int]:
    """The discontinuity number at each whole second of a live playlist, after the date with which it begins."""
    numbers: dict[float, int] = {}
    time = found.segments[0].date
    assert time is not None
    now = time.timestamp()
    for each in found.segments:
        if each.date is not None:
            assert abs(each.date.timestamp() - now) < 0.001, "time must go on where media does"
        numbers |= {now + second: each.discontinuity for second in range(int(each.duration))}
        now += float(each.duration)
    return numbers


def test_sound_and_pictures_have_the_same_discontinuity_numbers(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the pictures have gaps that the sound has not, and one sound is played long after the pictures."""
    monkeypatch.setattr("storage.catalog.playback.live_numbers._MOST_BETWEEN", 12)
    monkeypatch.setattr("storage.catalog.playback.live_alignment._OLD_NS", 10 * NS)
    video = put_flow(http, status="ingesting")["id"]
    sounds = [put_flow(http, AUDIO, status="ingesting", tags={"hls_name": name})["id"] for name in ("a", "b")]
    multi = collecting(http, video, *sounds)["id"]
    last: dict[str, Playlist] = {}
    for number in range(0, 60, 3):
        # With another clock in every twelve seconds, and a gap of two segments of the pictures in the middle of each.
        clock = number // 6
        for flow_id in (video, *sounds):
            times = spans(3, number)
            if flow_id == video:
                del times[2 if number % 6 == 0 else 0]
            for first, end in times:
                shown = f"[{TODAY + first - clock}:0_{TODAY + end - clock}:0)"
                add_segments(http, flow_id, (first, end), ts_offset=f"{clock}:0", object_timerange=shown)
        assert programme(http, f"/flows/{multi}", window="20").media
        playing = [video, sounds[0], *(sounds[1:] if number >= 30 else [])]
        found = {each: playlist_of(http, each, window=20) for each in playing}
        for flow_id, playlist in found.items():
            if flow_id in last:
                check_reload(last[flow_id], playlist)
        last = found
        pictures, *heard = (numbers_by_time(each) for each in found.values())
        for each in heard:
            common = pictures.keys() & each.keys()
            assert len(common) >= min(len(pictures), len(each)) - 4
            assert {time: pictures[time] for time in common} == {time: each[time] for time in common}
    assert any(each.is_gap for each in last[video].segments)
    assert not any(each.is_gap for each in last[sounds[0]].segments)
    assert len(set(numbers_by_time(last[video]).values())) > 1
