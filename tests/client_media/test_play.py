"""The playlists that `tams play` (F21) gives to players."""

from pathlib import Path

import httpx

from tams_server.client import Token
from tams_server.client_media.playlist_proxy import PlaylistProxy
from tests.api.in_process import TOKEN

from .conftest import Tams


def test_a_player_without_a_credential_reads_all_through_the_proxy(tams: Tams, h264: Path) -> None:
    flow = tams.ingest(h264)["multi"]
    with PlaylistProxy(tams.url, Token(TOKEN), f"/flows/{flow}/output.m3u8", {}) as proxy:
        proxy.check()
        programme = httpx.get(proxy.url).text
        lists = [line for line in programme.splitlines() if line and not line.startswith("#")]
        assert lists
        for address in lists:
            assert TOKEN not in address
            playlist = httpx.get(str(httpx.URL(proxy.url).join(address)))
            assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
            segments = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
            assert segments
            assert httpx.get(segments[0]).status_code == 200


def test_the_proxy_reads_nothing_but_playlists_that_it_named(tams: Tams, h264: Path) -> None:
    flow = tams.ingest(h264)["multi"]
    with PlaylistProxy(tams.url, Token(TOKEN), f"/flows/{flow}/output.m3u8", {}) as proxy:
        other = proxy.url.rsplit("/", 3)
        for path in ("/", f"/flows/{flow}", "/a/b/output.m3u8", f"/{other[1]}/!/output.m3u8"):
            assert httpx.get(str(httpx.URL(proxy.url).join(path))).status_code == 404


def test_what_cannot_be_played_is_explained(tams: Tams, files: Path) -> None:
    from . import media_files

    flow = tams.ingest(media_files.make(files, media_files.WAV))["audio"]
    tams.run("play", flow, "--url", status=1)
    assert "cannot be played" in tams.err
