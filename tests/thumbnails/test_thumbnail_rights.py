"""F19: thumbnails for callers whom classes restrict."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import TOKEN, Running, serving_with_classes
from tests.conformance.kit.ids import fresh
from tests.interop.demo.client import Tams

from . import clips
from .clips import get, number_in


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_with_classes(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def service(running: Running) -> Iterator[Tams]:
    with Tams(running.url, TOKEN) as client:
        yield client


def member_of(running: Running, group: str) -> Tams:
    return Tams(running.url, running.catalog.credentials.add_token(group, ["read"], groups=[group]))


def stored(service: Tams, *classes: str) -> dict[str, str]:
    flow = clips.store_ts(service)
    service.api.put(f"/flows/{flow['id']}/tags/auth_classes", json=list(classes)).raise_for_status()
    return flow


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_hidden_flow_has_no_thumbnail(running: Running, service: Tams) -> None:
    flow = stored(service, "news_read")
    with member_of(running, "news_read") as news, member_of(running, "sport_read") as sport:
        shown = get(news, flow)
        assert number_in(shown) == clips.FRAMES // 2
        absent = {**flow, "id": fresh()}
        assert code_of(get(sport, flow)) == code_of(get(sport, absent)) == code_of(get(news, absent))
        assert get(sport, flow).status_code == 404
        path = f"/flows/{flow['id']}/thumbnail.jpg"
        known = {"If-None-Match": shown.headers["etag"]}
        assert [each.api.get(path, headers=known).status_code for each in (news, sport)] == [304, 404]
        # At once, although the picture is kept.
        service.api.put(f"/flows/{flow['id']}/tags/auth_classes", json=["sport_read"]).raise_for_status()
        assert get(news, flow).status_code == 404


def test_media_on_a_hidden_storage_backend_has_no_thumbnail(running: Running, service: Tams) -> None:
    flow = stored(service, "news_read", "sport_read")
    with member_of(running, "news_read") as news, member_of(running, "sport_read") as sport:
        assert get(news, flow).status_code == 200
        assert code_of(get(sport, flow)) == (404, "thumbnail.no_media")
