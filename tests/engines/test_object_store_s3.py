"""S3 stores and their URLs on a real server, as clients see them."""

import os
import time
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from storage.errors import NotFound
from storage.media import s3_transfer
from storage.media.s3 import S3Store
from storage.media.s3_client import Bucket, Connection, RequestLimits
from storage.media.s3_keys import key_of
from storage.media.s3_urls import GRACE_S, LONGEST_TIMEOUT_S, SHARED_S
from storage.media.sigv4 import Presigner
from tests.engines.object_stores import (
    TIMEOUTS,
    TYPE,
    FixedCredentials,
    get_url,
    new_backend,
    put_url,
    read,
    s3_store,
    same_store,
    write,
)
from tests.engines.test_object_store import IDS
from tests.servers.seaweed import DOMAIN, SeaweedServer

ORIGIN = "https://player.example"
CORS = [
    {
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    }
]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.mark.parametrize("object_id", IDS, ids=range(len(IDS)))
def test_clients_upload_and_download_by_url(store: S3Store, http: httpx.Client, object_id: str) -> None:
    data = os.urandom(1000)
    answer = http.put(put_url(store, object_id), content=data, headers={"Content-Type": TYPE})
    assert answer.status_code == 200, answer.text
    assert read(store, object_id) == data
    answer = http.get(get_url(store, object_id))
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, data, TYPE)
    answer = http.get(get_url(store, object_id), headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, data[10:20])


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "video/mp4"}, {"Content-Type": TYPE + "; x=y"}])
def test_a_wrong_content_type_is_rejected(store: S3Store, http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.put(put_url(store, "object"), content=b"bytes", headers=headers)
    assert answer.status_code == 403
    assert store.stat("object") is None


def test_a_wrong_checksum_of_the_client_is_rejected(store: S3Store, http: httpx.Client) -> None:
    headers = {"Content-Type": TYPE, "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    assert http.put(put_url(store, "object"), content=b"other bytes", headers=headers).status_code == 400
    assert store.stat("object") is None
    assert http.put(put_url(store, "object"), content=b"", headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-copy-source", "x-amz-meta-more", "x-amz-tagging"])
def test_an_upload_url_permits_no_other_signed_headers(store: S3Store, http: httpx.Client, name: str) -> None:
    headers = {"Content-Type": TYPE, name: "public-read"}
    assert http.put(put_url(store, "object"), content=b"bytes", headers=headers).status_code == 403
    assert store.stat("object") is None


def test_urls_expire_after_their_timeout(server: SeaweedServer, store: S3Store, http: httpx.Client) -> None:
    write(store, "object")
    reserve = GRACE_S + SHARED_S
    for age, status in ((TIMEOUTS["download_timeout_s"], 200), (TIMEOUTS["download_timeout_s"] + reserve + 5, 403)):
        then = same_store(store, server, clock=lambda age=age: time.time() - age)
        assert http.get(get_url(then, "object")).status_code == status
    for age, status in ((TIMEOUTS["upload_timeout_s"], 200), (TIMEOUTS["upload_timeout_s"] + reserve + 5, 403)):
        then = same_store(store, server, clock=lambda age=age: time.time() - age)
        answer = http.put(put_url(then, "object"), content=b"later", headers={"Content-Type": TYPE})
        assert answer.status_code == status


def test_urls_are_the_same_when_a_page_is_reloaded(server: SeaweedServer, store: S3Store) -> None:
    one, other = (
        same_store(store, server, clock=lambda moment=moment: moment) for moment in (1_800_000_000.0, 1_800_000_059)
    )
    assert get_url(one, "object") == get_url(other, "object")


def test_stable_urls_are_the_same_for_an_hour(server: SeaweedServer, store: S3Store) -> None:
    moments = (1_800_000_000.0, 1_800_003_599.0, 1_800_003_600.0)
    stores = [same_store(store, server, clock=lambda moment=moment: moment) for moment in moments]
    urls = [each.download_urls(["object"], presigned=True, base_url="", stable=True).presigned[0] for each in stores]
    assert urls[0] == urls[1] != urls[2]
    assert f"X-Amz-Expires={TIMEOUTS['download_timeout_s'] + GRACE_S + 3600}&" in urls[0]


def test_changed_urls_are_rejected(store: S3Store, http: httpx.Client) -> None:
    write(store, "object")
    write(store, "other")
    url = get_url(store, "object")
    key = "X-Amz-Signature="
    for changed in (
        url.replace("/object?", "/other?"),
        url.replace(key, f"{key}0"),
        url.replace("X-Amz-Expires=", "X-Amz-Expires=1"),
        url.partition("?")[0],
    ):
        assert http.get(changed).status_code in (400, 403)
    assert http.put(url, content=b"x").status_code == 403
    assert http.delete(url).status_code == 403
    assert http.head(url).status_code in (200, 403)
    assert read(store, "object") == b"bytes"


def test_the_store_itself_reports_a_lost_object(store: S3Store, http: httpx.Client) -> None:
    write(store, "object")
    url = get_url(store, "object")
    store.delete("object")
    answer = http.get(url)
    assert (answer.status_code, "NoSuchKey" in answer.text) == (404, True)


def test_browsers_can_use_urls_if_the_bucket_has_cors(server: SeaweedServer, http: httpx.Client) -> None:
    store = s3_store(server, server.new_bucket(cors=CORS))
    for url, method in ((put_url(store, "object"), "PUT"), (get_url(store, "object"), "GET")):
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        }
        answer = http.options(url, headers=asked)
        assert answer.status_code in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
        assert method in answer.headers["Access-Control-Allow-Methods"]
    headers = {"Content-Type": TYPE, "Origin": ORIGIN}
    answer = http.put(put_url(store, "object"), content=b"bytes", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    answer = http.get(get_url(store, "object"), headers={"Origin": ORIGIN})
    assert "etag" in answer.headers["Access-Control-Expose-Headers"].lower()


def test_unsigned_urls_are_offered_if_configured(server: SeaweedServer, http: httpx.Client) -> None:
    store = s3_store(server, server.new_bucket(public=True), unsigned=True)
    write(store, "odd/../é")
    both = store.download_urls(["odd/../é"], presigned=None, base_url="ignored")
    assert [len(urls) for urls in both] == [1, 1]
    assert "?" not in both.plain[0]
    assert [http.get(url).content for urls in both for url in urls] == [b"bytes", b"bytes"]
    assert [len(urls) for urls in store.download_urls(["a"], presigned=False, base_url="")] == [0, 1]
    upload = store.upload_requests(["a"], TYPE, presigned=False, base_url="")[0]
    assert (upload.presigned, "?" in upload.url) == (False, False)


def test_unsigned_urls_are_not_offered_by_default(store: S3Store) -> None:
    assert not store.unsigned
    assert store.download_urls(["a"], presigned=False, base_url="") == ([], [])
    assert [len(urls) for urls in store.download_urls(["a"], presigned=None, base_url="")] == [1, 0]
    assert store.upload_requests(["a"], TYPE, presigned=False, base_url="")[0].presigned


def test_clients_get_urls_of_the_public_endpoint(server: SeaweedServer, http: httpx.Client) -> None:
    place = server.endpoint.replace("127.0.0.1", "localhost")
    bucket = Bucket(server.new_bucket(), server.endpoint, server.region, public_endpoint=place)
    store = S3Store(new_backend("s3"), bucket, FixedCredentials(server.access_key, server.secret_key), **TIMEOUTS)
    url = put_url(store, "object")
    assert url.startswith(f"{place}/{bucket.name}/object?")
    assert http.put(url, content=b"bytes", headers={"Content-Type": TYPE}).status_code == 200
    assert http.get(get_url(store, "object")).content == b"bytes"
    assert read(store, "object") == b"bytes"


def test_the_bucket_can_be_part_of_the_host(server: SeaweedServer, store: S3Store, http: httpx.Client) -> None:
    port = urlsplit(server.endpoint).port
    write(store, "odd é/+")
    presigner = Presigner(f"http://{DOMAIN}:{port}", store._bucket.name, server.region, virtual_host=True)
    credentials = FixedCredentials(server.access_key, server.secret_key).current()
    url = urlsplit(presigner.signer("GET", 60, credentials)(key_of(store._bucket.prefix, "odd é/+")))
    assert url.netloc == f"{store._bucket.name}.{DOMAIN}:{port}"
    # No name server resolves the domain of the tests.
    reachable = urlunsplit(url._replace(netloc=f"127.0.0.1:{port}"))
    assert http.get(reachable, headers={"Host": url.netloc}).content == b"bytes"


def test_timeouts_beyond_the_limit_of_s3_are_rejected(server: SeaweedServer) -> None:
    s3_store(server, "bucket", upload_timeout_s=LONGEST_TIMEOUT_S)
    with pytest.raises(ValueError, match=str(LONGEST_TIMEOUT_S)):
        s3_store(server, "bucket", upload_timeout_s=LONGEST_TIMEOUT_S + 1)


def test_objects_with_other_prefixes_are_not_listed(server: SeaweedServer, store: S3Store) -> None:
    write(store, "inner")
    outside = s3_store(server, store._bucket.name, prefix=f"{store._bucket.prefix}other/")
    write(outside, "outer")
    assert list(outside.object_ids()) == ["outer"]
    assert sorted(store.object_ids()) == ["inner", "other/outer"]


def test_a_store_without_a_prefix(server: SeaweedServer) -> None:
    store = s3_store(server, server.new_bucket(), prefix="")
    for object_id in IDS:
        write(store, object_id)
    assert len(list(store.object_ids())) >= len(IDS) - 4
    assert sorted(store.delete_many(IDS)) == sorted(IDS)
    assert list(store.object_ids()) == []


def test_large_objects_are_copied_in_parts(store: S3Store, server: SeaweedServer) -> None:
    data = os.urandom(12_000_000)
    store.write("object", "video/x-odd", iter([data]))
    connection = Connection(
        store._bucket, FixedCredentials(server.access_key, server.secret_key), "here", RequestLimits()
    )
    source = {"Bucket": store._bucket.name, "Key": key_of(store._bucket.prefix, "object")}
    described = connection.call("head_object", Key=source["Key"])
    s3_transfer.copy(connection, key_of(store._bucket.prefix, "copy"), source, described, at_once=5 * 2**20)
    stored = store.stat("copy")
    assert stored is not None and (stored.size, stored.content_type) == (len(data), "video/x-odd")
    assert stored.etag.endswith("-3")
    assert read(store, "copy") == data


def test_copying_a_missing_object_raises_not_found(server: SeaweedServer, store: S3Store) -> None:
    with pytest.raises(NotFound, match=store.backend.id):
        s3_store(server).copy_from(store, "nothing")


def test_copy_between_servers_is_left_to_the_caller(server: SeaweedServer, store: S3Store) -> None:
    write(store, "object")
    elsewhere = Bucket("bucket", "http://127.0.0.1:9", "us-east-1")
    target = S3Store(new_backend("s3"), elsewhere, FixedCredentials("a", "b"), **TIMEOUTS)
    assert not target.copy_from(store, "object")


def test_abandoned_multipart_uploads_are_aborted_after_a_day(server: SeaweedServer, store: S3Store) -> None:
    server.client().create_multipart_upload(Bucket=store._bucket.name, Key=f"{store._bucket.prefix}half")
    assert store.remove_abandoned() == 0
    later = same_store(store, server, clock=lambda: time.time() + 25 * 3600)
    assert later.remove_abandoned() == 1
    assert later.remove_abandoned() == 0
