"""Names of objects: the extension of their content type, in URLs of file stores and in keys of S3."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.errors import Forbidden
from storage.media.names import EXTENSIONS, extension_for, extension_of, split_name, stored_name
from storage.media.s3_keys import KEY_BYTES, id_of, key_of
from storage.media.signing import media_path, possible_ids
from tests.unit.media.test_filesystem_store import BACKEND, IDS, open_store

UUID = "3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11"


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        ("video/mp2t", ".ts"),
        ("video/MP2T", ".ts"),
        ("video/mp4", ".mp4"),
        ("video/mp4; codecs=avc1", ".mp4"),
        ("video/iso.segment", ".m4s"),
        ("application/mxf", ".mxf"),
        ("audio/wav", ".wav"),
        ("audio/x-wav", ".wav"),
        ("audio/aac", ".aac"),
        ("text/vtt", ".vtt"),
        ("image/jpeg", ".jpg"),
        ("video/x-matroska", ".mkv"),
        ("application/octet-stream", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_content_types_have_their_usual_extension(content_type: str | None, extension: str) -> None:
    assert extension_of(content_type) == extension


def test_an_id_that_ends_in_the_extension_does_not_get_it_twice() -> None:
    assert extension_for("clip.ts", "video/mp2t") == extension_for("clip.TS", "video/mp2t") == ""
    assert extension_for("clip.mp4", "video/mp2t") == ".ts"
    assert extension_for("clips", "video/mp2t") == ".ts"


@pytest.mark.parametrize("extension", ["", ".ts", ".3gp"])
@pytest.mark.parametrize("object_id", [*IDS, UUID, "a.ts", "!a.ts", "ts", ".ts", "!ts/a.ts"])
def test_names_are_split_into_id_and_extension(object_id: str, extension: str) -> None:
    assert split_name(stored_name(object_id, extension)) == (object_id, extension)


# -- Paths of file stores


def test_the_path_is_that_of_a_file_with_the_extension() -> None:
    assert media_path("b", UUID, ".ts") == f"/media/b/{UUID}.ts"
    assert media_path("b", "clip.ts").endswith(".ts")


def test_different_names_have_different_paths() -> None:
    seen: dict[str, str] = {}
    for object_id in [*IDS, "a", "a.ts", "a.ts.ts", "!a", "!a.ts", "a.mp4", "a.mp4.ts", ".ts", "ts"]:
        for extension in ("", ".ts", ".mp4"):
            path = media_path("b", object_id, extension)
            assert path.count("/") == 3 and path.endswith(extension)
            assert seen.setdefault(path, object_id) == object_id
            assert possible_ids(path)[1][0] == object_id


@pytest.mark.parametrize("name", [stored_name(UUID, ".ts"), "clip.ts", stored_name("a/b", ".mp4"), "..", "!x"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_signatures_name_the_object_with_or_without_its_extension(tmp_path: Path, name: str, method: str) -> None:
    store = open_store(tmp_path)
    object_id, extension = split_name(name)
    if method == "GET":
        url = store.download_urls([name], presigned=True, base_url="").presigned[0]
    else:
        url = store.upload_requests([name], "video/mp2t", presigned=True, base_url="")[0].url
    parts = urlsplit(url)
    assert parts.path == media_path(BACKEND.id, object_id, extension)
    store.check_signature(method, object_id, parts.query)
    for other in {f"{object_id}.ts", f"{object_id}x", "clip"} - {object_id}:
        with pytest.raises(Forbidden):
            store.check_signature(method, other, parts.query)


# -- Keys of S3 stores


def test_keys_end_in_the_extension() -> None:
    assert key_of("p/", stored_name(UUID, ".ts")) == f"p/!ts/{UUID}.ts"
    assert key_of("p/", stored_name("a/b", ".mp4")) == "p/!mp4/a/b.mp4"
    assert key_of("p/", "clip.ts") == "p/clip.ts"


def test_different_names_have_different_keys_that_can_be_decoded() -> None:
    seen: dict[str, str] = {}
    more = ["a", "a.ts", "!ts/a", "!ts/a.ts", "ts/a.ts", "!21/x.21", "!/x.21", "y" * 254, "y" * 250 + "/z", "é" * 500]
    for object_id in [*IDS, *more]:
        for extension in ("", *sorted(EXTENSIONS)):
            name = stored_name(object_id, extension)
            key = key_of("p/", name)
            assert seen.setdefault(key, name) == name
            assert key.endswith(extension) and len(key.encode()) <= KEY_BYTES
            assert all(0 < len(segment.encode()) <= 255 for segment in key.split("/"))
            assert id_of("p/", key) == (None if "!!" in key else name)
