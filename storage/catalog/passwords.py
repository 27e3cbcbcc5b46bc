"""Passwords: their hashes, and which are too weak to be chosen.

Hashes are made by argon2id (RFC 9106) with parameters that OWASP recommends for servers: 19 MiB, two passes, one lane.
The second recommendation of RFC 9106 (64 MiB, three passes, four lanes) would take more memory than a request may cost.
Hashes by scrypt, of earlier releases, are still verified, and replaced at the next login.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from storage.errors import Invalid

MIN_PASSWORD: Final = 12
"""Characters of a password."""
_MIN_DISTINCT: Final = 6
_MIN_REST: Final = 8
_MEMORY_KIB, _PASSES, _LANES, _SALT, _HASH = 19 * 1024, 2, 1, 16, 32
_HASHER: Final = PasswordHasher(_PASSES, _MEMORY_KIB, _LANES, _HASH, _SALT, type=Type.ID)
_GUESSED: Final = (
    "password",
    "passwort",
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
"""Texts whose parts are worth nothing in a password."""


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


NO_PASSWORD: Final = (
    f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}"
    f"${_unpadded(secrets.token_bytes(_SALT))}${_unpadded(secrets.token_bytes(_HASH))}"
)
"""A hash that no password matches. Comparing with it takes as long for an unknown user as for a known one."""


def hash_password(password: str) -> str:
    """Return a salted argon2id hash as text. Slow by design (tens of milliseconds)."""
    return _HASHER.hash(_encoded(password))


def password_matches(secret: str, password: str) -> bool:
    """Whether `secret` is a hash of `password`. Takes as long as hashing."""
    if secret.startswith("scrypt$"):
        return _matches_scrypt(secret, password)
    try:
        return _HASHER.verify(secret, _encoded(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(secret: str) -> bool:
    """Whether a hash was made in another way than `hash_password` makes them."""
    try:
        return _HASHER.check_needs_rehash(secret)
    except InvalidHashError:
        return True


def check_strength(user: str, password: str) -> None:
    """Reject a password that is short or easily guessed. Raises: Invalid."""
    if len(password) < MIN_PASSWORD:
        raise _weak(f"have at least {MIN_PASSWORD} characters, not {len(password)}")
    if len(set(password)) < _MIN_DISTINCT:
        raise _weak(f"have at least {_MIN_DISTINCT} different characters")
    rest = password.casefold().replace(user.casefold(), "") if user else password.casefold()
    if len(_without_guessed(rest)) < _MIN_REST:
        raise _weak("be more than the name of the user, a common word or a row of keys")


def _weak(rule: str) -> Invalid:
    return Invalid(f"the password must {rule}", field="password")


def _without_guessed(text: str) -> str:
    """Return the text without parts of four or more characters that stand in one of the guessed texts."""
    rest, start = "", 0
    while start < len(text):
        length = 4
        if any(text[start : start + length] in guessed for guessed in _GUESSED) and start + length <= len(text):
            while start + length < len(text) and any(text[start : start + length + 1] in each for each in _GUESSED):
                length += 1
            start += length
        else:
            rest += text[start]
            start += 1
    return rest


def _matches_scrypt(secret: str, password: str) -> bool:
    try:
        _, n, r, p, salt, digest = secret.split("$")
        made = hashlib.scrypt(_encoded(password), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), dklen=32)
        return hmac.compare_digest(made, bytes.fromhex(digest))
    except ValueError:
        return False


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
