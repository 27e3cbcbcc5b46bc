"""Credentials: tokens and passwords, stored as hashes only, each with its scopes (AUTH-*, SCOPE-*).

Tokens are 256 random bits, so a plain SHA-256 protects them and serves as the key of their row. Passwords are chosen by
people, so they are hashed with scrypt and a salt.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from storage.catalog.caller import SCOPES
from storage.catalog.retry import retried
from storage.errors import Invalid
from storage.tables.conditions import Compare, equals
from storage.tables.engine import Engine
from storage.tables.limits import NAME, check_text
from storage.tables.rows import CredentialKind, CredentialRow

SCOPE_PREFIX = "tams-api/"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1

NO_PASSWORD = f"scrypt${_SCRYPT_N}${_SCRYPT_R}${_SCRYPT_P}${secrets.token_hex(16)}${secrets.token_hex(32)}"
"""A hash that no password matches. Comparing with it takes as long for an unknown user as for a known one."""


@dataclass(frozen=True, slots=True)
class Credential:
    """scopes: some of storage.catalog.caller.SCOPES. expires: microseconds since 1970, or None for never.
    secret: salted scrypt hash of the password, or "" for a token."""

    id: str
    name: str
    secret: str
    scopes: frozenset[str]
    expires: int | None


class Credentials:
    """The table of credentials. Every method may raise storage.errors.Unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_token(
        self, name: str, scopes: Iterable[str], *, token: str | None = None, expires: int | None = None
    ) -> str:
        """Add a token, random by default, or replace the scopes of an existing one.

        name: the value of `created_by` in what its bearer creates. expires: microseconds since 1970.
        Returns the token, which is not stored. Raises: Invalid for an unknown scope or an empty token.
        """
        token = secrets.token_urlsafe(32) if token is None else token
        if not token:
            raise Invalid("a token must not be empty")
        self._put(_token_id(token), "bearer", name, "", scopes, expires)
        return token

    def set_token(self, name: str, scopes: Iterable[str], token: str) -> None:
        """Make `token`, which must not be empty, the only token of this name. Raises: Invalid for an unknown scope."""
        self._put(_token_id(token), "bearer", name, "", scopes, None, alone=True)

    def add_password(self, user: str, password: str, scopes: Iterable[str]) -> None:
        """Add a user, or replace the password and the scopes of an existing one (AUTH-04).

        Raises: Invalid for an unknown scope, an empty password, or a user name that is empty or contains a colon, which
        RFC 7617 forbids.
        """
        if not user or ":" in user or not password:
            raise Invalid("the user name must not be empty or contain a colon, and the password must not be empty")
        known = self.by_user(user)
        secret = known.secret if known and password_matches(known.secret, password) else hash_password(password)
        self._put(_user_id(user), "basic", user, secret, scopes, None)

    def by_token(self, token: str) -> Credential | None:
        """Return the credential of a token, expired or not. Reads one row by key."""
        return self._get(_token_id(token))

    def by_user(self, user: str) -> Credential | None:
        """Return the credential of a user. The caller must still compare the password. Reads one row by key."""
        return self._get(_user_id(user))

    def empty(self) -> bool:
        """Whether there are no credentials yet."""
        with self._engine.read_once() as tx:
            return not tx.select("credentials", limit=1, columns=["id"])

    def _get(self, id_: str) -> Credential | None:
        with self._engine.read_once() as tx:
            row = tx.get("credentials", id=id_)
        return None if row is None else _credential(row)

    @retried
    def _put(
        self,
        id_: str,
        kind: CredentialKind,
        name: str,
        secret: str,
        scopes: Iterable[str],
        expires: int | None,
        *,
        alone: bool = False,
    ) -> None:
        """Add or replace a credential, in one transaction. alone: also remove others of its kind and name."""
        check_text(name, NAME, "name")
        row: CredentialRow = {
            "id": id_,
            "kind": kind,
            "name": name,
            "secret": secret,
            "scopes": " ".join(SCOPE_PREFIX + scope for scope in read_scopes(scopes)),
            "created": time.time_ns() // 1000,
            "expires": expires,
        }
        with self._engine.write() as tx:
            tx.lock("credentials")
            if alone:
                tx.delete("credentials", [*equals(kind=kind, name=name), Compare("id", "!=", id_)])
            known = tx.get("credentials", id=id_)
            if known is not None:
                row["created"] = known["created"]
                if row == known:
                    return
                tx.delete("credentials", equals(id=id_))
            tx.insert("credentials", [row])


def read_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes in their short form, in the order of SCOPES. Accepts "tams-api/read" and "read" (SCOPE-01).

    Raises: Invalid for an unknown scope, or if there are none.
    """
    given = {scope.removeprefix(SCOPE_PREFIX) for scope in scopes}
    unknown = sorted(given.difference(SCOPES))
    if unknown or not given:
        named = ", ".join(unknown) or "none"
        raise Invalid(f"scopes must be one or more of {', '.join(SCOPES)}, not {named}", field="scopes")
    return [scope for scope in SCOPES if scope in given]


def hash_password(password: str) -> str:
    """Return a salted scrypt hash as text. Slow by design (tens of milliseconds)."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_SCRYPT_N}${_SCRYPT_R}${_SCRYPT_P}${salt.hex()}${_scrypt(password, salt).hex()}"


def password_matches(secret: str, password: str) -> bool:
    """Whether `secret` is a hash of `password`. Takes constant time, as long as hashing."""
    try:
        method, n, r, p, salt, digest = secret.split("$")
    except ValueError:
        return False
    made = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(made, bytes.fromhex(digest)) and method == "scrypt"


def _scrypt(password: str, salt: bytes, n: int = _SCRYPT_N, r: int = _SCRYPT_R, p: int = _SCRYPT_P) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, dklen=32)


def _token_id(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _user_id(user: str) -> str:
    return f"basic:{user}"


def _credential(row: CredentialRow) -> Credential:
    scopes = frozenset(scope.removeprefix(SCOPE_PREFIX) for scope in row["scopes"].split())
    return Credential(row["id"], row["name"], row["secret"], scopes, row["expires"])
