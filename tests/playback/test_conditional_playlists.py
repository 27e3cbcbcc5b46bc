"""F19: entity tags of playlists and manifests, and for how long clients may keep them."""

import httpx
import pytest

from storage.catalog.playback import dash, hls, recent_texts
from tests.api.in_process import Running
from tests.conformance.kit.documents import Json
from tests.playback.flows import fill, put_mp4, spans

PATHS = [
    "/flows/{id}/output.m3u8",
    "/sources/{source_id}/output.m3u8",
    "/flows/{id}/output.mpd",
    "/sources/{source_id}/output.mpd",
]
QUICK, SETTLED = "private, max-age=1", "private, max-age=60"


@pytest.fixture
def http(running: Running, monkeypatch: pytest.MonkeyPatch) -> httpx.Client:
    """A client of a server that keeps no playlists, so that changes are seen at once."""
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 0.0)
    return running.client


def stored(http: httpx.Client, status: str = "closed_complete") -> Json:
    document = put_mp4(http, status=status)
    fill(http, document["id"], *spans(5))
    return document


@pytest.mark.parametrize("path", PATHS)
def test_a_playlist_is_sent_again_only_if_it_has_changed(http: httpx.Client, path: str) -> None:
    document = stored(http)
    url = path.format(**document)
    first = http.get(url, params={"type": "vod"})
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for method in ("GET", "HEAD"):
        again = http.request(method, url, params={"type": "vod"})
        assert (again.status_code, again.headers["etag"]) == (200, etag)
        assert again.headers["content-length"] == str(len(first.content))
        for known in (etag, f'"other", W/{etag}', "*"):
            unmodified = http.request(method, url, params={"type": "vod"}, headers={"If-None-Match": known})
            assert (unmodified.status_code, unmodified.content) == (304, b"")
            assert unmodified.headers["etag"] == etag
            assert unmodified.headers["cache-control"] == QUICK
    title = {**document, "label": "Another name", "max_bit_rate": 98_765}
    http.put(f"/flows/{document['id']}", json=title).raise_for_status()
    fill(http, document["id"], *spans(1, 5))
    changed = http.get(url, params={"type": "vod"}, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert http.get(url, params={"type": "vod"}, headers={"If-Match": etag}).status_code == 412


@pytest.mark.parametrize("path", PATHS)
def test_what_grows_is_kept_for_a_second_and_what_is_settled_for_a_minute(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    growing, complete = (path.format(**stored(http, status)) for status in ("ingesting", "closed_complete"))
    assert [http.get(url).headers["cache-control"] for url in (growing, complete)] == [QUICK, QUICK]
    # Nobody reloads it any more some time later.
    monkeypatch.setattr("storage.catalog.playback.completeness._RECENT_S", -1)
    assert [http.get(url).headers["cache-control"] for url in (growing, complete)] == [QUICK, SETTLED]


def test_within_a_second_a_playlist_that_is_known_is_neither_written_nor_read(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = stored(http)
    monkeypatch.setattr(recent_texts, "LIFETIME_S", 60.0)
    urls = [path.format(**document) for path in PATHS]
    known = {url: http.get(url).headers["etag"] for url in urls}
    for module, name in ((hls, "HlsPlaylists"), (dash, "DashManifests")):
        for method in ("write_flow", "write_source", "write"):
            monkeypatch.setattr(getattr(module, name), method, None, raising=False)
    monkeypatch.setattr("storage.preconditions.digest", None)
    for url, etag in known.items():
        assert http.get(url, headers={"If-None-Match": etag}).status_code == 304
