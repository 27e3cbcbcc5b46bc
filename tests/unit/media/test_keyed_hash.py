"""HMAC with the key hashed in advance: the standard library is the oracle."""

import hmac

import pytest

from storage.media.keyed_hash import KeyedHash


@pytest.mark.parametrize("key_length", [0, 1, 32, 63, 64, 65, 200])
def test_it_is_hmac_sha256(key_length: int) -> None:
    key = bytes(range(1, key_length + 1))
    keyed = KeyedHash(key)
    for message in (b"", b"a", b"b" * 64, bytes(range(256))):
        expected = hmac.digest(key, message, "sha256")
        assert keyed.digest(message) == expected
        for position in (0, 1, 64):
            rest_digest = keyed.digest_after(message[:position])
            assert [rest_digest(message[position:]) for _ in range(2)] == [expected, expected]
