"""F19: playlists for callers whom classes restrict."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import Running, serving_with_classes
from tests.conformance.kit.documents import MULTI
from tests.playback.flows import add_segments, put_flow, spans
from tests.playback.rules import read_media_playlist, read_multivariant_playlist


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_with_classes(tmp_path_factory.mktemp("server")) as server:
        yield server


def caller(running: Running, group: str) -> httpx.Client:
    return running.bearer(running.catalog.credentials.add_token(group, ["read"], groups=[group]))


def stored(http: httpx.Client, *classes: str) -> str:
    flow_id = str(put_flow(http, status="closed_complete", tags={"auth_classes": list(classes)})["id"])
    add_segments(http, flow_id, *spans(3))
    return flow_id


def test_a_hidden_flow_has_no_playlist(running: Running) -> None:
    flow_id = stored(running.client, "news_read")
    path = f"/flows/{flow_id}/output.m3u8"
    assert caller(running, "news_read").get(path).status_code == 200
    assert caller(running, "sport_read").get(path).status_code == 404
    running.client.put(f"/flows/{flow_id}/tags/auth_classes", json=["sport_read"]).raise_for_status()
    # At once, although the playlist itself is kept for a second.
    assert caller(running, "news_read").get(path).status_code == 404


def test_a_programme_has_only_flows_that_the_caller_may_read(running: Running) -> None:
    http = running.client
    shared, secret = stored(http, "news_read", "sport_read"), stored(http, "news_read")
    collection = [{"id": flow_id} for flow_id in (shared, secret)]
    tags = {"auth_classes": ["news_read", "sport_read"]}
    multi = put_flow(http, MULTI, flow_collection=collection, tags=tags)
    for group, expected in (("news_read", [shared, secret]), ("sport_read", [shared])):
        text = caller(running, group).get(f"/flows/{multi['id']}/output.m3u8").text
        found = [each["URI"].split("/")[3] for each in read_multivariant_playlist(text).variants]
        assert found == expected
    assert secret not in text


def test_segments_on_a_hidden_storage_backend_are_gaps(running: Running) -> None:
    path = f"/flows/{stored(running.client, 'news_read', 'sport_read')}/output.m3u8"
    for group, is_gap in (("news_read", False), ("sport_read", True)):
        found = read_media_playlist(caller(running, group).get(path).text)
        assert {each.is_gap for each in found.segments} == {is_gap}
