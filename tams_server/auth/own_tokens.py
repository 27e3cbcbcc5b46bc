"""The tokens that this installation issues to clients: made, and verified by the keys in its catalogue."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey

from storage.catalog.credential import SCOPE_PREFIX, Credential
from storage.catalog.token_keys import TokenKey, TokenKeys
from tams_server.auth.key_set import KeySet, VerificationKey, read_key

ALGORITHM: Final = "ES256"
KID_PREFIX: Final = "tams-"
"""Begins the ids of our own keys, so that tokens of others cost no read of the catalogue."""
GENERATION: Final = "tams_generation"
"""The claim that ends a token with the secret of its client (Credential.generation)."""

_RENEW_S: Final = 1.5
"""How old the keys may be while they are used. Callers are cached on top of that (authenticator.CACHED_S): both times
together are less than the five seconds in which revoked keys end."""


def generate_key() -> dict[str, Any]:
    """Return a new private JSON Web Key."""
    key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": ALGORITHM})
    return {**key.as_dict(private=True), "kid": f"{KID_PREFIX}{key.thumbprint()[:16]}"}


@dataclass(frozen=True)
class _Keys:
    """The keys as they were read. read_at: on the monotonic clock."""

    keys: tuple[TokenKey, ...]
    read_at: float

    @cached_property
    def verifying(self) -> KeySet:
        return KeySet(read_key(key.private) for key in self.keys)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """scopes: in their short form. lifetime_s: in seconds."""

    token: str
    lifetime_s: int
    scopes: frozenset[str]


class OwnTokens:
    """keys: those of the catalogue. audience: the id of the installation, which all its tokens name.

    lifetime_s: of a token, in seconds. Every method may raise storage.errors.Unavailable.
    """

    def __init__(
        self, keys: TokenKeys, audience: str, lifetime_s: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = keys
        self.audience = f"urn:uuid:{audience}"
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._keys = _Keys((), float("-inf"))
        self._lock = threading.Lock()

    def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the key that may have signed a token, with a read of the catalogue unless it is known."""
        if kid is None or not kid.startswith(KID_PREFIX):
            return ()
        return self._current().verifying.find(kid, algorithm) or self._read().verifying.find(kid, algorithm)

    def has(self, id_: str) -> bool:
        """Whether a key is still valid."""
        return self._current().verifying.has(id_)

    def public_keys(self) -> list[dict[str, Any]]:
        """Return the public JSON Web Keys, the newest last."""
        public = ("kty", "crv", "x", "y", "kid", "use", "alg")
        return [{name: key.private[name] for name in public if name in key.private} for key in self._current().keys]

    def issue(self, client: Credential, scopes: Iterable[str], issuer: str) -> IssuedToken:
        """Return a new token for a client. scopes: of those of the client. issuer: the URL of this server.

        It does not outlive the credential of the client.
        """
        now = time.time()
        ends = now + self._lifetime_s if client.expires is None else min(now + self._lifetime_s, client.expires / 1e6)
        key = next((key for key in reversed(self._ready().keys) if key.signs_from <= now), self._keys.keys[0])
        granted = frozenset(scopes)
        claims = {
            "iss": issuer,
            "sub": client.name,
            "client_id": client.name,
            "aud": self.audience,
            "iat": int(now),
            "exp": int(ends),
            "jti": str(uuid.uuid4()),
            "scope": scope_text(granted),
            GENERATION: client.generation,
        }
        header = {"alg": ALGORITHM, "typ": "at+jwt", "kid": key.id}
        token = jwt.encode(header, claims, ECKey.import_key(key.private), algorithms=[ALGORITHM])
        return IssuedToken(token, max(0, int(ends) - int(now)), granted)

    def _current(self) -> _Keys:
        return self._keys if self._clock() - self._keys.read_at <= _RENEW_S else self._read()

    def _read(self) -> _Keys:
        self._keys = _Keys(self._catalog.read(), self._clock())
        return self._keys

    def _ready(self) -> _Keys:
        """The keys, at least one. Makes the first, for which it must be called where changes are allowed."""
        if not self._current().keys:
            with self._lock:
                self._keys = _Keys(self._catalog.create(generate_key), self._clock())
        return self._keys


def scope_text(scopes: Iterable[str]) -> str:
    """Return scopes as tokens and responses name them."""
    return " ".join(SCOPE_PREFIX + scope for scope in sorted(scopes))
