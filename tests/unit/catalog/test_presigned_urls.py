"""F1: presigned URLs for uploads and for downloads are valid for a timeout each, and not for much longer."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.catalog.clock import SECOND
from storage.errors import Forbidden
from storage.media.signing import UrlSigner
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, World, open_world

TIMEOUTS_S = {"PUT": 600, "GET": 1500}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A catalogue whose default store signs URLs by the test's clock."""
    with open_world(tmp_path) as world:
        urls = world.stores[DEFAULT_BACKEND]._urls
        signer = UrlSigner(b"another secret of 16+", clock=lambda: world.clock() / SECOND)
        monkeypatch.setattr(urls, "_signer", signer)
        monkeypatch.setattr(urls, "_upload_timeout_s", TIMEOUTS_S["PUT"])
        monkeypatch.setattr(urls, "_download_timeout_s", TIMEOUTS_S["GET"])
        yield world


def check(world: World, method: str, url: str) -> None:
    world.stores[DEFAULT_BACKEND].check_signature(method, "a", urlsplit(url).query)


@pytest.mark.behaviour("SEG-GET-43", "STO-26", "TMO-04")
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_presigned_url_is_valid_for_its_timeout_and_not_much_longer(world: World, method: str) -> None:
    flow_id = world.make_flow()
    allocated = world.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": ["a"], "presigned": True}, BASE)
    assert world.register(flow_id, {"object_id": "a", "timerange": "[0:0_1:0)"}) == []
    url = allocated["media_objects"][0]["put_url"]["url"]
    if method == "GET":
        (url,) = [each["url"] for each in world.object("a").document["get_urls"] if each["presigned"]]
    world.clock.forward(TIMEOUTS_S[method])
    check(world, method, url)
    world.clock.forward(TIMEOUTS_S["PUT"])
    with pytest.raises(Forbidden):
        check(world, method, url)


@pytest.mark.behaviour("SEG-GET-43", "TMO-04")
def test_each_response_has_freshly_signed_urls(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.clock.forward(10 * TIMEOUTS_S["GET"])
    (url,) = [each["url"] for each in world.object("a").document["get_urls"] if each["presigned"]]
    world.clock.forward(TIMEOUTS_S["GET"])
    check(world, "GET", url)
