"""F19: signed URLs of media playlists: what they permit, and what not."""

import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from storage.catalog.playback.signed_playlists import LIFETIME_S, SignedPlaylists
from storage.errors import Forbidden
from storage.media.object_store import STABLE_S
from storage.media.url_keys import UrlKey, UrlKeys
from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import MULTI
from tests.conformance.kit.polling import wait_until
from tests.playback.flows import TODAY, add_segments, put_flow, spans
from tests.playback.rules import read_media_playlist, read_multivariant_playlist

FLOW = "2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"
PATH = f"/flows/{FLOW}/output.m3u8"


def signed_url(running: Running, **query: str) -> httpx.URL:
    """The URL of the only variant of a new programme."""
    flow_id = put_flow(running.client, status="closed_complete")["id"]
    add_segments(running.client, flow_id, *spans(5))
    multi = put_flow(running.client, MULTI, flow_collection=[{"id": flow_id}])
    response = running.client.get(f"/flows/{multi['id']}/output.m3u8", params=query).raise_for_status()
    return response.url.join(read_multivariant_playlist(response.text).variants[0]["URI"])


def test_a_player_without_a_credential_reads_a_media_playlist(running: Running) -> None:
    url = signed_url(running, timerange=f"[{TODAY}:0_{TODAY + 4}:0)", type="vod")
    response = running.stranger().get(url)
    assert response.status_code == 200
    assert len(read_media_playlist(response.text).segments) == 2
    assert running.stranger().head(url).status_code == 200


def test_nothing_else_is_permitted(running: Running) -> None:
    url, other = signed_url(running), signed_url(running)
    stranger = running.stranger()
    signature = str(url.query, "ascii")
    for changed in (
        f"{other.path}?{signature}",
        f"{url.path}?type=live&{signature}",
        f"{url.path}?{signature}&type=live",
        f"{url.path}?{signature}0",
        f"{url.path}?exp=9{signature.removeprefix('exp=')}",
        f"{url.path}?{signature.partition('&')[2]}",
        f"{url.path}?sig=",
        f"{url.path}?sig=a&sig=b",
    ):
        response = stranger.get(changed)
        assert (response.status_code, response.json()["code"]) == (403, "playback.url_invalid"), changed
    segments = url.path.replace("output.m3u8", "segments")
    assert stranger.get(f"{segments}?{signature}").status_code == 401
    assert stranger.get(f"{url.path.removesuffix('/output.m3u8')}?{signature}").status_code == 401
    assert stranger.delete(f"{url.path}?{signature}").status_code in (401, 405)


def test_a_credential_takes_precedence(running: Running) -> None:
    url = signed_url(running)
    assert running.with_scopes("write").get(url).status_code == 403
    assert running.bearer("wrong").get(url).status_code == 401
    assert running.stranger().get(f"{url}&access_token=wrong").status_code == 401


def test_signatures_are_not_logged(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    url = signed_url(running)
    with caplog.at_level(logging.INFO):
        assert running.stranger().get(url).status_code == 200
    [signature] = parse_qs(urlsplit(str(url)).query)["sig"]

    def lines() -> list[str]:
        logged = [record.getMessage() for record in caplog.records if record.name.startswith("tams_server")]
        return [line for line in logged if url.path in line]

    # The access log has its line after the response.
    wait_until(lines, "the line of the request")
    assert not any(signature in line for line in lines())


def test_without_tokens_in_urls_nothing_is_signed(tmp_path: Path, running: Running) -> None:
    with serving(tmp_path, url_tokens=False) as strict:
        url = signed_url(strict)
        assert url.query == b"type=vod"
        assert strict.stranger().get(f"{url}&exp=1&sig=a").status_code == 401


def test_with_rules_on_classes_nothing_is_signed(tmp_path: Path) -> None:
    with serving(tmp_path, authorisation="classes") as ruled:
        url = signed_url(ruled)
        assert url.query == b"type=vod"
        assert ruled.stranger().get(f"{url}&exp=1&sig=a").status_code == 403


def test_signatures_expire_and_are_the_same_for_an_hour() -> None:
    now = 1_800_000_000.0
    keys = UrlKeys([UrlKey(b"0123456789abcdef")], clock=lambda: now)
    playlists = SignedPlaylists(keys, clock=lambda: now)
    query = playlists.signed_query(PATH, "type=live")
    now += LIFETIME_S
    playlists.check(PATH, query)
    now += 2 * STABLE_S
    with pytest.raises(Forbidden, match="expired") as error:
        playlists.check(PATH, query)
    assert error.value.code.name == "playback.url_expired"
    queries = set()
    for _ in range(6):
        now += STABLE_S / 6
        queries.add(playlists.signed_query(PATH, ""))
    assert len(queries) <= 2
