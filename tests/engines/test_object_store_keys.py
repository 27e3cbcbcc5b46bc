"""Keys of objects in S3: different for different ids, valid in every store, and decodable."""

import itertools
import random
from urllib.parse import quote

import pytest

from storage.media.s3_keys import KEY_BYTES, id_of, key_of

PREFIX = "media/tams/"
PIECES = [
    *("a", "b", "/", "/", ".", "..", "!", "!2E", "!!", "2E", "\\", "é", "🎞", "\0", "\ud83c", "\udf9e", "\uffff"),
    *("x" * 80, "é" * 100, "🎞" * 64, "\x01" * 70, "y" * 255),
]


@pytest.mark.parametrize(
    ("object_id", "key"),
    [
        ("3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11", "3f6d2a5e-8f0b-4a54-9d4e-0c5a8f0d9b11"),
        ("bucket/folder/key one.ts", "bucket/folder/key one.ts"),
        ("100%2F+~é🎞", "100%2F+~é🎞"),
        (".", "!2E"),
        ("a/../.b", "a/!2E./!2Eb"),
        ("a//b/", "a/!/b/!"),
        ("/", "!/!"),
        ("a\\b!\n", "a!5Cb!21!0A"),
        ("\ud800", "!ED!A0!80"),
        ("k" * 130, "k" * 130),
        ("k" * 256, "/".join(["k" * 60 + "!"] * 4 + ["k" * 16])),
        ("🎞" * 1024, "!!37fb0a51f759840ff65e49d154cb84924dfbc6aada118a23c52cb0df6993c28b"),
    ],
)
def test_keys_are_as_documented(object_id: str, key: str) -> None:
    assert key_of(PREFIX, object_id) == PREFIX + key
    assert id_of(PREFIX, PREFIX + key) == (None if key.startswith("!!") else object_id)


def test_random_ids_have_different_keys_that_can_be_decoded() -> None:
    chosen = random.Random(8)
    seen: dict[str, str] = {}
    for _ in range(20_000):
        object_id = "".join(chosen.choices(PIECES, k=chosen.randint(1, 9)))
        key = key_of(PREFIX, object_id)
        assert seen.setdefault(key, object_id) == object_id
        assert len(key.encode()) <= KEY_BYTES
        for segment in key.split("/"):
            assert 0 < len(segment.encode()) <= 255 and not segment.startswith(".")
        assert id_of(PREFIX, key) == (None if key.startswith(f"{PREFIX}!!") else object_id)


def test_a_key_that_no_id_has_is_not_decoded() -> None:
    foreign = 0
    for length in range(1, 6):
        for letters in itertools.product("a!/2E.", repeat=length):
            key = PREFIX + "".join(letters)
            object_id = id_of(PREFIX, key)
            foreign += object_id is None
            assert object_id is None or key_of(PREFIX, object_id) == key
    assert foreign > 1000
    assert id_of(PREFIX, "elsewhere") is None
    assert id_of("", "elsewhere") == "elsewhere"


@pytest.mark.parametrize("piece", ["a", "/", "!", "\\", "\x01", ".", "/.", "é", "日", "🎞", "%", " "])
def test_the_longest_ids_fit_into_urls(piece: str) -> None:
    """Of 400 bytes (storage.tables.limits), whatever they are."""
    object_id = piece * (400 // len(piece.encode()))
    assert len(quote(key_of("", object_id), safe="-._~/")) <= 1250


def test_longer_ids_keep_the_keys_of_earlier_releases() -> None:
    """Objects stored before ids were limited to 400 bytes must be found."""
    object_id = "é" * 450
    assert id_of("", key_of("", object_id)) == object_id
