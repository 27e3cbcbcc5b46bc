"""Upload URLs of S3 stores: whether they can replace bytes, and how long they are valid."""

import logging
from typing import Any

import httpx
import pytest

from storage.errors import Unavailable
from storage.media.object_store import AllocationTerm
from storage.media.s3_client import Connection, RequestRejected
from storage.media.sigv4 import Credentials
from tests.engines.object_stores import TYPE, FixedCredentials, s3_store
from tests.servers.seaweed import shared_server


def put(store: Any, content: bytes, **headers: str) -> int:
    request = store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0]
    named = {"Content-Type": TYPE, **request.headers, **headers}
    return httpx.put(request.url, content=content, headers=named).status_code


def lifetime_of(url: str) -> int:
    return int(httpx.URL(url).params["X-Amz-Expires"])


def test_an_upload_url_asks_for_no_more_than_a_content_type_by_default() -> None:
    """The Lambdas of AWS's TAMS tools send nothing else."""
    store = s3_store(shared_server())
    request = store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0]
    assert request.headers == {}
    assert httpx.put(request.url, content=b"first", headers={"Content-Type": TYPE}).status_code == 200


def test_an_upload_url_writes_once() -> None:
    store = s3_store(shared_server(), write_once=True)
    assert store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0].headers == {"If-None-Match": "*"}
    assert put(store, b"first") == 200
    assert put(store, b"second") == 412
    with store.open("object") as file:
        assert file.read() == b"first"
    assert list(store.object_ids()) == ["object"]


@pytest.mark.parametrize("value", ['"other"', None])
def test_an_upload_url_that_writes_once_needs_its_header(value: str | None) -> None:
    store = s3_store(shared_server(), write_once=True)
    url = store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0].url
    headers = {"Content-Type": TYPE} | ({} if value is None else {"If-None-Match": value})
    assert httpx.put(url, content=b"first", headers=headers).status_code == 403
    assert store.stat("object") is None


def test_a_store_that_ignores_the_condition_gets_urls_without_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = Connection.call_briefly

    def ignoring(self: Connection, operation: str, **arguments: Any) -> Any:
        arguments.pop("IfNoneMatch", None)
        return original(self, operation, **arguments)

    monkeypatch.setattr(Connection, "call_briefly", ignoring)
    store = s3_store(shared_server(), write_once=True)
    with caplog.at_level(logging.WARNING):
        assert store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0].headers == {}
    assert "If-None-Match" in caplog.text
    assert (put(store, b"first"), put(store, b"second")) == (200, 200)


@pytest.mark.parametrize("error", [RequestRejected("501"), Unavailable("down")])
def test_a_store_that_cannot_be_asked_gets_urls_without_the_condition(
    monkeypatch: pytest.MonkeyPatch, error: Unavailable
) -> None:
    asked = []

    def failing(self: Connection, operation: str, **arguments: Any) -> Any:
        asked.append(operation)
        raise error

    monkeypatch.setattr(Connection, "call_briefly", failing)
    store = s3_store(shared_server(), write_once=True)
    for _ in range(3):
        assert store.upload_requests(["object"], TYPE, presigned=True, base_url="")[0].headers == {}
    assert asked == ["put_object"]


def test_an_upload_url_expires_with_the_allocation() -> None:
    now = 1_800_000_000.0
    store = s3_store(shared_server(), upload_timeout_s=600, clock=lambda: now + 30)
    url = store.upload_requests(["object"], TYPE, presigned=True, base_url="", term=AllocationTerm(1, 400.5))[0].url
    assert lifetime_of(url) == 430
    assert httpx.URL(url).params["X-Amz-Date"] == "20270115T080000Z"


def test_a_url_expires_with_the_credentials_that_signed_it(caplog: pytest.LogCaptureFixture) -> None:
    now = 1_800_000_000.0
    server = shared_server()
    source = FixedCredentials(server.access_key, server.secret_key)
    store = s3_store(server, upload_timeout_s=600, download_timeout_s=3600, clock=lambda: now)
    store._connection._source = source
    source.credentials = Credentials(server.access_key, server.secret_key, expires=now + 7200)
    assert lifetime_of(store.download_urls(["object"], presigned=True, base_url="").presigned[0]) == 3720
    assert not caplog.text
    source.credentials = Credentials(server.access_key, server.secret_key, expires=now + 120)
    for _ in range(2):
        assert lifetime_of(store.download_urls(["object"], presigned=True, base_url="").presigned[0]) == 120
    assert caplog.text.count("valid for 120 s only, not for 3600") == 1
    source.credentials = Credentials(server.access_key, server.secret_key, expires=now)
    with pytest.raises(Unavailable, match="expired"):
        store.download_urls(["object"], presigned=True, base_url="")
