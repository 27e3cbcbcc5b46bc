"""F2: the storage backends file: the stores it describes, and its errors, all reported together."""

import copy
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.s3 import S3Store
from storage.media.s3_urls import GRACE_S, SHARED_S
from tams_server.settings import SettingsError
from tams_server.storage_backends import check_at_start, open_stores, unavailable_backends
from tams_server.storage_backends_file import UrlTimeouts, read_backends

TIMEOUTS = UrlTimeouts(minimum=300, max_upload=660, upload=600, download=3600)
SECRET = b"0123456789abcdef"
S3: dict[str, Any] = {
    "id": "11111111-1111-4111-8111-111111111111",
    "label": "cloud",
    "kind": "s3",
    "provider": "AWS",
    "store_product": "S3",
    "endpoint": "https://s3.eu-west-1.amazonaws.com",
    "bucket": "media",
    "region": "eu-west-1",
    "credentials": {"access_key_env": "TEST_KEY_ID", "secret_key_env": "TEST_KEY"},
}
FILES: dict[str, Any] = {"id": "22222222-2222-4222-8222-222222222222", "kind": "files", "folder": "/srv/media"}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY_ID", "AK")
    monkeypatch.setenv("TEST_KEY", "a secret")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backends.yaml"


def write(path: Path, *entries: Any) -> Path:
    path.write_text(yaml.safe_dump({"backends": list(entries)}))
    return path


def errors_of(path: Path, *entries: Any) -> list[str]:
    """The errors reported for these entries, without the file name."""
    with pytest.raises(SettingsError) as caught:
        read_backends(write(path, *entries), TIMEOUTS)
    assert all(error.startswith(f"{path}: ") for error in caught.value.errors)
    return [error.removeprefix(f"{path}: ") for error in caught.value.errors]


def changed(entry: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A copy with these members; None removes a member."""
    members = copy.deepcopy(entry) | members
    return {name: value for name, value in members.items() if value is not None}


def test_the_example_in_the_documentation_is_valid(path: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    stores = open_stores(read_backends(path, TIMEOUTS), TIMEOUTS, SECRET)
    assert [store.backend.label for store in stores.values()] == ["cloud", "archive", "disk"]
    assert [store.backend.default_storage for store in stores.values()] == [True, False, False]


def test_every_member_is_used(path: Path) -> None:
    whole = S3 | {
        "availability_zone": "eu-west-1b",
        "tags": {"tier": "hot", "sites": ["London", "Salford"]},
        "default": True,
        "public_endpoint": "https://media.example/",
        "prefix": "tams/one/",
        "addressing_style": "virtual",
        "unsigned": True,
        "upload_url_timeout": 400,
        "download_url_timeout": 7200,
    }
    entries = read_backends(write(path, FILES, whole), TIMEOUTS)
    store, files = open_stores(entries, TIMEOUTS, SECRET).values()
    assert isinstance(store, S3Store) and isinstance(files, FileStore)
    assert files.backend.technical_description() == {
        "store_type": "http_object_store",
        "provider": "tams-server",
        "store_product": "embedded file store",
    }
    assert store.backend.technical_description() == {
        "store_type": "http_object_store",
        "provider": "AWS",
        "store_product": "S3",
        "region": "eu-west-1",
        "availability_zone": "eu-west-1b",
        "tags": {"tier": "hot", "sites": ["London", "Salford"]},
    }
    upload = urlsplit(store.upload_requests(["object"], "video/mp4", presigned=True, base_url="")[0].url)
    assert (upload.netloc, upload.path) == ("media.media.example", "/tams/one/object")
    assert parse_qs(upload.query)["X-Amz-Expires"] == [str(400 + GRACE_S + SHARED_S)]
    (signed,), (plain,) = store.download_urls(["object"], presigned=None, base_url="")
    assert parse_qs(urlsplit(signed).query)["X-Amz-Expires"] == [str(7200 + GRACE_S + SHARED_S)]
    assert plain == "https://media.media.example/tams/one/object"


def test_settings_give_the_default_timeouts(path: Path) -> None:
    (store,) = open_stores(read_backends(write(path, S3), TIMEOUTS), TIMEOUTS, SECRET).values()
    url = store.upload_requests(["object"], "video/mp4", presigned=True, base_url="")[0].url
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(600 + GRACE_S + SHARED_S)]


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"id": "nope"}, "backend 1 (cloud): id: 'nope' does not match"),
        ({"id": S3["id"].replace("8111", "A111")}, "backend 1 (cloud): id: "),
        ({"id": None}, "backend 1 (cloud): 'id' is a required property"),
        ({"bucket": None}, "backend 1 (cloud): 'bucket' is a required property"),
        ({"buckt": "x"}, "backend 1 (cloud): Additional properties are not allowed ('buckt' was unexpected)"),
        ({"folder": "/x"}, "backend 1 (cloud): Additional properties are not allowed ('folder' was unexpected)"),
        ({"bucket": "a/b"}, "backend 1 (cloud): bucket: 'a/b' does not match"),
        ({"kind": "tape"}, "backend 1 (cloud): kind: 'tape' must be one of files, s3"),
        ({"label": ""}, "backend 1 (11111111-1111-4111-8111-111111111111): label: "),
        ({"default": "often"}, "backend 1 (cloud): default: 'often' is not of type 'boolean'"),
        ({"tags": {"a": 1}}, "backend 1 (cloud): tags.a: 1 is not of type 'string', 'array'"),
        ({"tags": {"a": ["b", 1]}}, "backend 1 (cloud): tags.a.1: 1 is not of type 'string'"),
        ({"prefix": "/a"}, "backend 1 (cloud): prefix: '/a' does not match"),
        ({"prefix": "a/../b/"}, "backend 1 (cloud): prefix: 'a/../b/' does not match"),
        ({"endpoint": "s3.example"}, "backend 1 (cloud): endpoint: must be http(s)://host"),
        ({"endpoint": "https://key:word@s3.example"}, "backend 1 (cloud): endpoint: must be http(s)://host"),
        ({"public_endpoint": "https://s3.example/?a"}, "backend 1 (cloud): public_endpoint: must be http(s)://host"),
        ({"addressing_style": "auto"}, "backend 1 (cloud): addressing_style: 'auto' is not one of"),
        ({"addressing_style": "virtual", "bucket": "a.b"}, "backend 1 (cloud): addressing_style: virtual does not"),
        ({"upload_url_timeout": 299}, "backend 1 (cloud): upload_url_timeout: 299 must be at least 300"),
        ({"download_url_timeout": 299}, "backend 1 (cloud): download_url_timeout: 299 must be at least 300"),
        ({"upload_url_timeout": 661}, "backend 1 (cloud): upload_url_timeout: 661 must be at most 660"),
        ({"download_url_timeout": 604_800}, "backend 1 (cloud): download_url_timeout: 604800 must be at most 604680"),
        ({"download_url_timeout": "1h"}, "backend 1 (cloud): download_url_timeout: '1h' is not of type 'integer'"),
        ({"credentials": {}}, "backend 1 (cloud): credentials: must have access_key_env and secret_key_env, or file"),
        ({"credentials": {"chain": True, "file": "x"}}, "backend 1 (cloud): credentials: must have access_key_env"),
        ({"credentials": {"chain": False}}, "backend 1 (cloud): credentials.chain: "),
        ({"credentials": {"access_key_env": "A"}}, "backend 1 (cloud): credentials: 'secret_key_env' is a required"),
        ({"credentials": {"secret_key_env": "A"}}, "backend 1 (cloud): credentials: 'access_key_env' is a required"),
        ({"credentials": {"file": "x", "key": "y"}}, "backend 1 (cloud): credentials: Additional properties are not"),
    ],
)
def test_errors_name_the_member(path: Path, members: dict[str, Any], error: str) -> None:
    (reported,) = errors_of(path, changed(S3, **members))
    assert reported.startswith(error)


@pytest.mark.parametrize("credentials", ["a secret", {"file": ["a secret"]}, {"access_key_env": {"a secret": 1}}])
def test_values_of_credentials_are_never_shown(path: Path, credentials: Any) -> None:
    assert "a secret" not in "\n".join(errors_of(path, S3 | {"credentials": credentials}))


def test_all_errors_are_reported_together(path: Path) -> None:
    errors = errors_of(path, changed(S3, bucket=None, region=None, upload_url_timeout=1), FILES | {"folder": 7}, "text")
    assert len(errors) == 5
    assert [error[:9] for error in errors] == ["backend 1"] * 3 + ["backend 2", "backend 3"]


def test_conflicts_between_entries(path: Path) -> None:
    errors = errors_of(path, S3 | {"default": True}, S3 | {"default": True, "prefix": "inner/"})
    assert [error.partition(":")[0] for error in errors] == ["id", "label", "default", "bucket"]
    other = FILES | {"id": "33333333-3333-4333-8333-333333333333"}
    assert [error.partition(":")[0] for error in errors_of(path, FILES, other)] == ["bucket"]
    apart = S3 | {"id": other["id"], "label": "second", "prefix": "b/"}
    assert len(read_backends(write(path, S3 | {"prefix": "a/"}, apart), TIMEOUTS)) == 2


@pytest.mark.parametrize("text", ["", "backends: []", "[]", "backends: {}", "backends: [x]\nmore: 1", "a: [", "\t"])
def test_a_file_without_a_list_of_backends_is_rejected(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"backends\.yaml"):
        read_backends(path, TIMEOUTS)


def test_a_missing_file_is_rejected(path: Path) -> None:
    with pytest.raises(SettingsError, match="TAMS_STORAGE_BACKENDS"):
        read_backends(path, TIMEOUTS)


def test_an_unavailable_backend_is_reported_and_does_not_stop_the_server(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    away = tmp_path / "away"
    ids = [f"{number}2222222-2222-4222-8222-222222222222" for number in range(3)]
    entries = [
        FILES | {"id": ids[0], "folder": str(here)},
        FILES | {"id": ids[1], "folder": str(away)},
        S3 | {"id": ids[2], "endpoint": "http://127.0.0.1:9"},
    ]
    stores = open_stores(read_backends(write(path, *entries), TIMEOUTS), TIMEOUTS, SECRET)
    started = time.monotonic()
    assert unavailable_backends(stores).keys() == {ids[1], ids[2]}
    assert time.monotonic() - started < 10
    check_at_start(stores)
    assert all((id_ in caplog.text) == (id_ != ids[0]) for id_ in ids)
    stores[ids[0]].write("object", "video/mp4", iter([b"x"]))
    for call in (lambda: stores[ids[1]].stat("object"), lambda: list(stores[ids[1]].object_ids())):
        with pytest.raises(Unavailable):
            call()
    with pytest.raises(Unavailable):
        stores[ids[1]].write("object", "video/mp4", iter([b"x"]))
    assert not away.exists()
    os.mkdir(away)
    stores[ids[1]].write("object", "video/mp4", iter([b"x"]))
    assert unavailable_backends(stores).keys() == {ids[2]}
