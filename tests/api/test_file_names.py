"""The file names in get_urls and put_urls: they end in the extension of the container (A78)."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.tables.conditions import equals
from tests.api.in_process import serving
from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, flow, init_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import get_urls
from tests.conformance.kit.media import download, upload
from tests.conformance.kit.segments import post_segment


def path_of(url: str) -> str:
    return urlsplit(url).path


@pytest.mark.behaviour("A78", "STO-38")
@pytest.mark.parametrize(
    ("format_", "container", "extension"),
    [
        (VIDEO, "video/mp2t", ".ts"),
        (VIDEO, "video/mp4", ".mp4"),
        (VIDEO, "application/mxf", ".mxf"),
        (AUDIO, "audio/wav", ".wav"),
        (AUDIO, "audio/aac", ".aac"),
        (IMAGE, "image/jpeg", ".jpg"),
        (DATA, "text/vtt", ".vtt"),
        (MULTI, "video/mp2t", ".ts"),
        (DATA, "application/x-unheard-of", ""),
    ],
)
def test_urls_end_in_the_extension_of_the_container(
    tams: TamsClient, format_: str, container: str, extension: str
) -> None:
    flow_id = tams.make_flow(flow(format_, container=container))["id"]
    (item,) = tams.allocate(flow_id, 1)
    object_id = item["object_id"]
    assert path_of(item["put_url"]["url"]).endswith(f"/{object_id}{extension}")
    assert upload(tams, item, b"media").status_code == 200
    assert post_segment(tams, flow_id, object_id, "[0:0_1:0)").status_code == 201
    for view in ("segment", "object"):
        urls = get_urls(tams, view, flow_id, object_id)
        assert {each["presigned"] for each in urls} == {True, False}
        for each in urls:
            assert path_of(each["url"]).endswith(f"/{object_id}{extension}")
            assert download(tams, each).content == b"media"


@pytest.mark.behaviour("A78", "STO-04")
@pytest.mark.parametrize("suffix", ["", ".ts", ".TS", ".mp4", ".ts.ts", " ü/x"])
def test_an_id_that_ends_in_the_extension_does_not_get_it_twice(tams: TamsClient, suffix: str) -> None:
    flow_id, object_id = tams.make_flow()["id"], fresh_name("clip") + suffix
    (item,) = tams.allocate(flow_id, object_ids=[object_id])
    assert item["object_id"] == object_id
    path = path_of(item["put_url"]["url"])
    added = "" if suffix.lower().endswith(".ts") else ".ts"
    assert path.endswith(path_segment(object_id) + added)
    assert upload(tams, item, b"media").status_code == 200
    assert post_segment(tams, flow_id, object_id, "[0:0_1:0)").status_code == 201
    for each in get_urls(tams, "segment", flow_id, object_id):
        assert path_of(each["url"]) == path
        assert download(tams, each).content == b"media"


@pytest.mark.behaviour("A78")
def test_objects_whose_ids_differ_by_an_extension_are_different(tams: TamsClient) -> None:
    flow_id, name = tams.make_flow()["id"], fresh_name("clip")
    items = tams.allocate(flow_id, object_ids=[name, f"{name}.ts", f"{name}.ts.ts"])
    for number, item in enumerate(items):
        assert upload(tams, item, f"media {number}".encode()).status_code == 200
        assert post_segment(tams, flow_id, item["object_id"], f"[{number}:0_{number + 1}:0)").status_code == 201
    for number, item in enumerate(items):
        for each in get_urls(tams, "object", flow_id, item["object_id"]):
            assert download(tams, each).content == f"media {number}".encode()


@pytest.mark.behaviour("A78", "STO-18")
def test_an_init_object_has_the_extension_of_its_own_type(tams: TamsClient) -> None:
    flow_id = tams.make_flow(init_flow())["id"]
    (media,) = tams.allocate(flow_id, 1)
    (init,) = tams.allocate(flow_id, 1, content_type="video/mp4")
    assert path_of(media["put_url"]["url"]).endswith(".m4s")
    assert path_of(init["put_url"]["url"]).endswith(".mp4")
    members = {"init_object_id": init["object_id"]}
    assert post_segment(tams, flow_id, media["object_id"], "[0:0_1:0)", **members).status_code == 201
    (segment,) = tams.segments(flow_id)
    assert path_of(segment["init_object"]["get_urls"][0]["url"]).endswith(f"/{init['object_id']}.mp4")


@pytest.mark.behaviour("A78")
def test_objects_from_before_have_the_extension_and_keep_their_old_urls(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        document, object_id = flow(), fresh()
        server.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
        body = {"object_ids": [object_id]}
        response = server.client.post(f"/flows/{document['id']}/storage", json=body).raise_for_status()
        put_url = response.json()["media_objects"][0]["put_url"]
        old_url = put_url["url"].replace(f"{object_id}.ts", object_id)
        assert old_url != put_url["url"]
        headers = {"Content-Type": put_url["content-type"]}
        server.stranger().put(old_url, content=b"media", headers=headers).raise_for_status()
        segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
        server.client.post(f"/flows/{document['id']}/segments", json=segment).raise_for_status()
        with server.catalog._engine.write() as tx:
            tx.update("instances", equals(object_id=object_id), {"extension": None})
        for url in server.client.get(f"/objects/{object_id}").json()["get_urls"]:
            assert path_of(url["url"]).endswith(f"/{object_id}.ts")
            without = url["url"].replace(f"{object_id}.ts", object_id)
            for each in (url["url"], without):
                reader = server.stranger() if url["presigned"] else server.client
                assert reader.get(each).content == b"media"
