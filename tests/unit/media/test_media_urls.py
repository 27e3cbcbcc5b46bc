"""URLs of FileStore: their paths, and their signatures."""

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.errors import Forbidden, NotFound
from storage.media.filesystem import FileStore
from storage.media.names import stored_name
from storage.media.object_store import STABLE_S, AllocationTerm
from storage.media.signing import GRACE_S, SHARED_S, UrlSigner, media_path, parse_media_path
from tests.unit.media.test_filesystem_store import BACKEND, IDS, SECRET, open_store

BASE = "https://media.example/tams"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return open_store(tmp_path)


def test_upload_request_describes_the_put(store: FileStore) -> None:
    (plain,) = store.upload_requests(["a/b"], "video/mp2t", presigned=False, base_url=BASE)
    (signed,) = store.upload_requests(["a/b"], "video/mp2t", presigned=True, base_url=BASE)
    assert plain.url == f"{BASE}/media/{BACKEND.id}/a%2Fb"
    assert signed.url.startswith(plain.url + "?")
    assert (plain.content_type, signed.content_type) == ("video/mp2t", "video/mp2t")
    assert (plain.presigned, signed.presigned) == (False, True)


def test_download_urls_are_of_the_kinds_requested(store: FileStore) -> None:
    names = ["a b", stored_name("c", ".ts")]
    plain = [f"{BASE}/media/{BACKEND.id}/a%20b", f"{BASE}/media/{BACKEND.id}/c.ts"]
    both = store.download_urls(names, presigned=None, base_url=BASE)
    assert both.plain == [url.partition("?")[0] for url in both.presigned] == plain
    for object_id, url in zip(("a b", "c"), both.presigned, strict=True):
        assert store.check_signature("GET", object_id, urlsplit(url).query) == ""
    assert store.download_urls(names, presigned=True, base_url=BASE) == (both.presigned, [])
    assert store.download_urls(names, presigned=False, base_url=BASE) == ([], plain)


def test_uploads_of_one_allocation_have_signatures_of_their_own(store: FileStore) -> None:
    term = AllocationTerm(7, 300)
    uploads = store.upload_requests(["a", "b"], "video/mp2t", presigned=True, base_url=BASE, term=term)
    queries = [urlsplit(upload.url).query for upload in uploads]
    assert [store.check_signature("PUT", *each) for each in zip("ab", queries, strict=True)] == ["video/mp2t"] * 2
    with pytest.raises(Forbidden):
        store.check_signature("PUT", "a", queries[1])


@pytest.mark.parametrize("object_id", IDS, ids=range(len(IDS)))
def test_different_ids_have_different_paths(object_id: str) -> None:
    path = media_path("backend", object_id)
    assert path.isascii() and path.count("/") == 3
    assert path.rsplit("/", 1)[1] not in (".", "..")
    assert parse_media_path(path) == ("backend", object_id)


@pytest.mark.parametrize(
    "path", ["/", "/media/", "/media/b", "/media/b/", "/media/b/%", "/media/b/%zz", "/media/b/%ff"]
)
def test_a_path_that_is_not_that_of_an_object_is_rejected(path: str) -> None:
    with pytest.raises(NotFound):
        parse_media_path(path)


def test_decoded_slashes_are_part_of_the_id() -> None:
    assert parse_media_path("/media/b/folder/key%20x") == ("b", "folder/key x")


def test_presigned_urls_outlive_the_timeout_and_then_expire() -> None:
    now = 1_000_001.5
    signer = UrlSigner(SECRET, clock=lambda: now)
    query = signer.signer("GET", signer.expiry(600))("/media/b/o")
    started = now
    now = started + 600 + GRACE_S - 1
    assert signer.check("GET", "/media/b/o", query) == ""
    now = started + 600 + GRACE_S + SHARED_S + 1
    with pytest.raises(Forbidden, match="expired"):
        signer.check("GET", "/media/b/o", query)


def test_urls_of_one_page_expire_together() -> None:
    signer = UrlSigner(SECRET, clock=lambda: 1_000_021.0)
    later = UrlSigner(SECRET, clock=lambda: 1_000_030.0)
    assert signer.expiry(600) == later.expiry(600) == 1_000_740


def test_check_returns_the_signed_content_type() -> None:
    signer = UrlSigner(SECRET)
    query = signer.signer("PUT", signer.expiry(600), "image/svg+xml")("/media/b/o")
    assert signer.check("PUT", "/media/b/o", query) == "image/svg+xml"


@pytest.mark.parametrize(
    ("method", "path", "old", "new"),
    [
        ("GET", "/media/b/o", "", ""),
        ("PUT", "/media/b/other", "", ""),
        ("PUT", "/media/b/o", "exp=", "exp=9"),
        ("PUT", "/media/b/o", "exp=", "exp=1&exp="),
        ("PUT", "/media/b/o", "exp=", "nothing="),
        ("PUT", "/media/b/o", "mp4", "mp2t"),
        ("PUT", "/media/b/o", "ct=", "x="),
        ("PUT", "/media/b/o", "sig=", "sig=A"),
        ("PUT", "/media/b/o", "sig=", "sig=%ff"),
        ("PUT", "/media/b/o", "sig=", "s="),
        ("PUT", "/media/b/o", "sig=", "&".join(f"x{n}=1" for n in range(50)) + "&sig="),
    ],
)
def test_a_changed_url_is_rejected(method: str, path: str, old: str, new: str) -> None:
    signer = UrlSigner(SECRET)
    query = signer.signer("PUT", signer.expiry(600), "video/mp4")("/media/b/o")
    signer.check("PUT", "/media/b/o", query)
    with pytest.raises(Forbidden):
        signer.check(method, path, query.replace(old, new, 1) if old else query)


def test_a_signature_with_another_secret_is_rejected(tmp_path: Path) -> None:
    one = open_store(tmp_path)
    other = FileStore(tmp_path, BACKEND, SECRET[::-1], upload_timeout_s=1, download_timeout_s=1)
    query = urlsplit(one.download_urls(["o"], presigned=True, base_url=BASE).presigned[0]).query
    one.check_signature("GET", "o", query)
    with pytest.raises(Forbidden):
        other.check_signature("GET", "o", query)


def test_a_short_secret_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16"):
        FileStore(tmp_path, BACKEND, b"short", upload_timeout_s=1, download_timeout_s=1)


def test_stable_urls_are_the_same_for_an_hour_and_outlive_the_timeout() -> None:
    moments = range(1_800_000_007, 1_800_000_007 + 2 * STABLE_S, 60)
    expiries = [UrlSigner(SECRET, clock=partial(float, at)).expiry(600, STABLE_S) for at in moments]
    assert all(expires - at >= 600 for expires, at in zip(expiries, moments, strict=True))
    assert expiries == sorted(expiries)
    assert {expires % STABLE_S for expires in expiries} == {0}
    assert len(set(expiries)) == 3


def test_stable_urls_of_a_store_are_signed(store: FileStore) -> None:
    (url,) = store.download_urls(["a"], presigned=True, base_url=BASE, stable=True).presigned
    assert store.check_signature("GET", "a", urlsplit(url).query) == ""
    (again,) = store.download_urls(["a"], presigned=True, base_url=BASE).presigned
    assert url != again
