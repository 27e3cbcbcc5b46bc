"""Upload by put_urls and download by get_urls, presigned or with the credentials of the API."""

import base64
import hashlib

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import DATA, Json, init_flow
from tests.conformance.kit.instances import VIEWS, get_urls
from tests.conformance.kit.media import download, send_without_credentials, upload
from tests.conformance.kit.segments import post_segment, register_segment
from tests.conformance.kit.skips import not_implemented

SMALL = b"a few bytes of media"
LARGE = bytes(range(256)) * 4096 * 3 + b"tail"


def allocated(tams: TamsClient, flow_id: str, presigned: bool | None) -> Json:
    """An item of media_objects. Skips if the server has no such URLs."""
    body = {"limit": 1} if presigned is None else {"limit": 1, "presigned": presigned}
    response = tams.post(f"/flows/{flow_id}/storage", body)
    if response.status_code == 400:
        not_implemented(f"upload URLs with presigned={presigned}")
    assert response.status_code == 201, response.text
    item: Json = response.json()["media_objects"][0]
    return item


@pytest.mark.behaviour("STO-27", "STO-22", "STO-23", "STO-24", "SEG-GET-19", "SEG-GET-32", "STO-29")
@pytest.mark.parametrize("presigned", [True, False, None], ids=["presigned", "plain", "as the server likes"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_uploaded_bytes_can_be_downloaded_from_every_url(
    tams: TamsClient, presigned: bool | None, view: str, content: bytes
) -> None:
    flow = tams.make_flow(format_=DATA)
    item = allocated(tams, flow["id"], presigned)
    assert upload(tams, item, content).is_success
    register_segment(tams, flow["id"], object_id=item["object_id"])
    urls = get_urls(tams, view, flow["id"], item["object_id"])
    assert urls
    for url in urls:
        response = download(tams, url)
        assert response.status_code == 200, response.text
        assert response.content == content
        assert response.headers["Content-Type"].startswith(flow["container"])


@pytest.mark.behaviour("SEG-GET-32", "INT-04")
def test_presigned_urls_work_without_credentials(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, SMALL)[0])
    url, *_ = get_urls(tams, "segment", flow["id"], object_id, presigned=True)
    assert send_without_credentials("GET", url["url"]).content == SMALL


@pytest.mark.behaviour("STO-29", "AUTH-11")
def test_plain_urls_of_the_server_require_credentials(tams: TamsClient) -> None:
    flow = tams.make_flow()
    item = allocated(tams, flow["id"], presigned=False)
    put_url = item["put_url"]
    if not put_url["url"].startswith(str(tams.http.base_url).rstrip("/")):
        pytest.skip("the object store of this server has another origin")
    rejected = send_without_credentials("PUT", put_url["url"], SMALL, put_url["content-type"])
    assert rejected.status_code in (401, 403)
    assert upload(tams, item, SMALL).is_success
    register_segment(tams, flow["id"], object_id=item["object_id"])
    for url in get_urls(tams, "segment", flow["id"], item["object_id"], presigned=False):
        assert send_without_credentials("GET", url["url"]).status_code in (401, 403)
        assert download(tams, url).content == SMALL


@pytest.mark.behaviour("STO-27", "STO-18", "INIT-03")
def test_init_objects_are_downloaded_with_their_own_type(tams: TamsClient) -> None:
    flow = tams.make_flow(init_flow())
    (init,) = tams.allocate(flow["id"], 1, content_type="video/mp4")
    (media,) = tams.allocate(flow["id"], 1)
    assert upload(tams, init, b"init").is_success
    assert upload(tams, media, b"media").is_success
    register_segment(tams, flow["id"], object_id=media["object_id"], init_object_id=init["object_id"])
    (segment,) = tams.segments(flow["id"])
    first, then = download(tams, segment["init_object"]["get_urls"][0]), download(tams, segment["get_urls"][0])
    assert (first.content, first.headers["Content-Type"]) == (b"init", "video/mp4")
    assert (then.content, then.headers["Content-Type"]) == (b"media", flow["container"])


@pytest.mark.behaviour("STO-28", "INT-01", "INT-02")
@pytest.mark.parametrize("presigned", [True, False], ids=["presigned", "plain"])
def test_an_upload_may_include_a_checksum(tams: TamsClient, presigned: bool) -> None:
    flow = tams.make_flow()
    item = allocated(tams, flow["id"], presigned)
    digest = base64.b64encode(hashlib.md5(SMALL).digest()).decode()
    assert upload(tams, item, SMALL, {"Content-MD5": digest}).is_success
    register_segment(tams, flow["id"], object_id=item["object_id"])
    assert download(tams, get_urls(tams, "segment", flow["id"], item["object_id"])[0]).content == SMALL


@pytest.mark.behaviour("INT-02")
@pytest.mark.parametrize("presigned", [True, False], ids=["presigned", "plain"])
def test_an_upload_with_a_wrong_checksum_is_not_stored(tams: TamsClient, presigned: bool) -> None:
    flow = tams.make_flow()
    item = allocated(tams, flow["id"], presigned)
    digest = base64.b64encode(hashlib.md5(b"others").digest()).decode()
    assert upload(tams, item, SMALL, {"Content-MD5": digest}).status_code == 400
    if post_segment(tams, flow["id"], item["object_id"], "[0:0_10:0)").status_code == 400:
        return  # A server may verify that the bytes have arrived (SEG-POST-65).
    assert download(tams, get_urls(tams, "segment", flow["id"], item["object_id"])[0]).status_code == 404


@pytest.mark.behaviour("STO-04", "OBJ-04")
@pytest.mark.parametrize("suffix", ["/a/b.ts", " %2F", "?x=1#y", "ü☃", "/../up", "+a;b,c"])
def test_objects_with_any_id_can_be_uploaded_and_downloaded(tams: TamsClient, suffix: str) -> None:
    flow = tams.make_flow()
    object_id = f"{flow['id']}{suffix}"
    (item,) = tams.allocate(flow["id"], object_ids=[object_id])
    assert upload(tams, item, object_id.encode()).is_success
    register_segment(tams, flow["id"], object_id=object_id)
    for view in VIEWS:
        for url in get_urls(tams, view, flow["id"], object_id):
            assert download(tams, url).content == object_id.encode()


@pytest.mark.behaviour("SEG-POST-35", "SEG-POST-07", "SEG-GET-20")
def test_a_second_flow_returns_the_same_bytes(tams: TamsClient) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, SMALL)[0])
    register_segment(tams, other["id"], "[100:0_110:0)", object_id=object_id, ts_offset="100:0")
    assert download(tams, get_urls(tams, "segment", other["id"], object_id)[0]).content == SMALL
