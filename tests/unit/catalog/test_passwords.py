"""Hashes of passwords, and which passwords are too weak."""

import hashlib

import pytest

from storage.catalog.passwords import NO_PASSWORD, check_strength, hash_password, is_outdated, password_matches
from storage.errors import Invalid

PASSWORD = "sheep graze on Tuesdays"


def scrypt_hash(password: str) -> str:
    """A hash as earlier releases made it."""
    salt = bytes(range(16))
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    return f"scrypt${2**14}$8$1${salt.hex()}${digest.hex()}"


def test_a_hash_matches_its_password_only() -> None:
    secret = hash_password(PASSWORD)
    assert secret.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in secret
    assert password_matches(secret, PASSWORD)
    assert not password_matches(secret, PASSWORD + "x")
    assert secret != hash_password(PASSWORD)
    assert not is_outdated(secret)


def test_a_hash_of_an_earlier_release_matches_and_is_outdated() -> None:
    secret = scrypt_hash(PASSWORD)
    assert password_matches(secret, PASSWORD)
    assert not password_matches(secret, PASSWORD + "x")
    assert is_outdated(secret)


@pytest.mark.parametrize("secret", ["", "x", "scrypt$", "scrypt$1$2$3$zz$zz", "$argon2id$"])
def test_what_is_no_hash_matches_nothing(secret: str) -> None:
    assert not password_matches(secret, PASSWORD)


def test_the_hash_of_an_unknown_user_matches_nothing() -> None:
    assert not password_matches(NO_PASSWORD, PASSWORD)


def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    assert NO_PASSWORD.split("$")[:4] == hash_password(PASSWORD).split("$")[:4]
    assert [len(part) for part in NO_PASSWORD.split("$")] == [len(part) for part in hash_password("x").split("$")]


@pytest.mark.parametrize("password", [PASSWORD, "kx9-Tq2!vLp7", "Ελληνικά γράμματα", "a1b2c3d4e5f6"])
def test_a_strong_password_is_accepted(password: str) -> None:
    check_strength("ann", password)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("", "at least 12 characters"),
        ("kx9-Tq2!vLp", "at least 12 characters"),
        ("aaaaaaaaaaaa", "at least 6 different"),
        ("abababababababab", "at least 6 different"),
        ("annette.smith", "name of the user"),
        ("ANNETTE.SMITH1", "name of the user"),
        ("password1234", "row of keys"),
        ("qwertyuiop123456", "row of keys"),
        ("123456789012", "row of keys"),
    ],
)
def test_a_weak_password_is_rejected(password: str, rule: str) -> None:
    with pytest.raises(Invalid, match=rule):
        check_strength("annette.smith", password)
