"""F19: thumbnails of media on a real S3 server."""

from collections.abc import Callable, Iterator

import pytest

from tests.conformance.kit.documents import Json
from tests.conformance.kit.server import own_server
from tests.interop.demo.client import Tams
from tests.servers.stores import running

from . import clips
from .clips import FRAMES, GOP, get, number_in, span_of, time_of


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tams]:
    """A client of this project's server, which keeps its media on S3."""
    folder = tmp_path_factory.mktemp("s3")
    with (
        running("sqlite", "s3") as stores,
        own_server(folder, stores.settings(folder)) as subject,
        Tams(subject.url, subject.token) as client,
    ):
        yield client


@pytest.mark.parametrize("make", [clips.store_ts, clips.store_fragments, clips.store_mp4])
def test_the_picture_of_a_time_is_shown(service: Tams, make: Callable[[Tams], Json]) -> None:
    flow = make(service)
    for number in (0, 2 * GOP + 7, FRAMES - 1):
        assert number_in(get(service, flow, at=time_of(number))) == number


def test_an_object_that_has_not_arrived_has_no_picture(service: Tams) -> None:
    flow = clips.store_ts(service)
    [slot] = service.allocate(flow["id"], 1)
    service.register(flow["id"], [{"object_id": slot.object_id, "timerange": str(span_of(FRAMES, FRAMES + 9))}])
    response = get(service, flow, at=time_of(FRAMES))
    assert (response.status_code, response.json()["code"]) == (404, "thumbnail.no_media")
