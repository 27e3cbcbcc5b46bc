"""F20: how the server serves the files of the console: paths, caching, compression and the policy for browsers."""

import gzip
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tams_server.console.console_pages import ConsoleFiles
from tams_server.console.console_settings import Origins, media_origins
from tams_server.console.static_files import accepted_codings
from tams_server.errors import NoSuchPath
from tams_server.settings import Settings

from .served_files import SCRIPT, console_files, get, write_files

SCRIPT_PATH = "/console/main-0A1B2C3D.js"
S3: dict[str, Any] = {
    "id": "7f7e1b9e-6f5c-4b52-9a58-0c7c1c7f5b11",
    "kind": "s3",
    "default": True,
    "provider": "example",
    "store_product": "example",
    "endpoint": "https://inside.example.org:9000",
    "bucket": "media",
    "region": "eu",
    "credentials": {"chain": True},
}


@pytest.fixture
def files(tmp_path: Path) -> ConsoleFiles:
    write_files(tmp_path)
    return console_files(tmp_path)


def another(digit: str, **members: str) -> dict[str, Any]:
    return S3 | {"id": digit + S3["id"][1:], "default": False, **members}


def directives(response: httpx.Response) -> dict[str, list[str]]:
    parts = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def test_a_file_named_by_its_content_is_kept_for_good(files: ConsoleFiles) -> None:
    response = get(files, SCRIPT_PATH)
    assert response.content == SCRIPT
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/console", "/console/licences.txt", "/console/settings.json"])
def test_other_files_are_checked_each_time(files: ConsoleFiles, path: str) -> None:
    response = get(files, path)
    assert response.headers["Cache-Control"] == "no-cache"
    again = get(files, path, if_none_match=response.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("BR", "br"),
        ("br;q=0.000, gzip; q=0", None),
        ("identity", None),
        ("", None),
    ],
)
def test_the_best_compressed_copy_is_sent(files: ConsoleFiles, accepted: str, coding: str | None) -> None:
    response = get(files, SCRIPT_PATH, accept_encoding=accepted)
    assert response.headers.get("Content-Encoding") == coding
    decoded = gzip.decompress(response.content) if coding == "gzip" else response.content
    assert decoded == (b"in brotli" if coding == "br" else SCRIPT)
    assert response.headers["Vary"] == "accept-encoding"


def test_copies_in_different_codings_have_different_etags(files: ConsoleFiles) -> None:
    codings = ("br", "gzip", "identity")
    assert len({get(files, SCRIPT_PATH, accept_encoding=each).headers["ETag"] for each in codings}) == 3


def test_any_accept_encoding_is_read(files: ConsoleFiles) -> None:
    assert accepted_codings(b";;,q=,=0,br;q=\xff,,gzip;q=1;x") == {"", "q=", "=0", "br", "gzip"}


@pytest.mark.parametrize(
    "path",
    [
        "/console/nothing.js",
        "/console/index.html",
        "/console/sources.sha256",
        "/console/main-0A1B2C3D.js.gz",
        "/console/../console_pages.py",
        "/console/%2e%2e/console_pages.py",
        "/console//etc/passwd",
    ],
)
def test_nothing_else_is_served(files: ConsoleFiles, path: str) -> None:
    with pytest.raises(NoSuchPath):
        get(files, path)


def test_the_path_with_a_slash_leads_to_the_one_without(files: ConsoleFiles) -> None:
    response = get(files, "/console/")
    assert response.status_code == 308
    assert httpx.URL("http://host/prefix/console/").join(response.headers["Location"]) == "http://host/prefix/console"


def test_browsers_run_nothing_but_files_of_this_server(files: ConsoleFiles) -> None:
    policy = directives(get(files, "/console"))
    assert (
        policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["media-src"] == policy["worker-src"] == ["'self'", "blob:"]
    assert "unsafe" not in str(policy)


def test_the_page_may_use_media_stores_and_the_identity_provider(tmp_path: Path) -> None:
    write_files(tmp_path)
    origins = Origins(["https://s3.example.org"], ["https://sso.example.org"])
    policy = directives(get(console_files(tmp_path, origins=origins), "/console"))
    assert policy["connect-src"] == ["'self'", "https://s3.example.org", "https://sso.example.org"]
    assert policy["media-src"] == ["'self'", "https://s3.example.org", "blob:"]
    assert policy["script-src"] == ["'self'"]


def test_origins_of_media_are_those_of_public_endpoints(tmp_path: Path) -> None:
    entries = [
        S3,
        another("8", bucket="public", public_endpoint="https://s3.example.org/path"),
        another("9", bucket="hosts", addressing_style="virtual"),
    ]
    file = tmp_path / "backends.yaml"
    file.write_text(yaml.safe_dump({"backends": entries}))
    settings = Settings(data_dir=tmp_path, storage_backends=file, console_origins="https://cdn.example.org")
    assert media_origins(settings) == [
        "https://cdn.example.org",
        "https://hosts.inside.example.org:9000",
        "https://inside.example.org:9000",
        "https://s3.example.org",
    ]
    assert media_origins(Settings(data_dir=tmp_path)) == []


def test_a_checkout_without_the_files_says_how_to_build_them(tmp_path: Path) -> None:
    files = console_files(tmp_path)
    response = get(files, "/console")
    assert response.status_code == 503
    assert b"make console" in response.content
    assert response.headers["Cache-Control"] == "no-store"
    assert get(files, "/console/settings.json").status_code == 200
    with pytest.raises(NoSuchPath):
        get(files, SCRIPT_PATH)


def test_half_a_build_counts_as_none(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "index.html").unlink()
    assert get(console_files(tmp_path), "/console").status_code == 503
