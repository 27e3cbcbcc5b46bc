"""Verifies JSON Web Tokens: of issuers in the settings, and of this installation. Remembers them until they expire."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from storage.catalog.caller import SCOPES, Caller
from storage.catalog.credential import SCOPE_PREFIX
from tams_server.auth.claims import caller_of
from tams_server.auth.issuer import Issuer
from tams_server.auth.issuer_keys import IssuerKeys
from tams_server.auth.own_tokens import ALGORITHM, GENERATION, OwnTokens
from tams_server.auth.presented_credential import InvalidCredential, invalid_credential
from tams_server.auth.signed_token import SignedToken, read_signed_token

_REMEMBERED: Final = 10_000
_LEEWAY_S: Final = 5.0
"""Difference of the clocks of our own processes that is tolerated for the beginning of a token."""


class _Keys(Protocol):
    def has(self, id_: str) -> bool:
        """Whether a key is still valid."""


@dataclass(frozen=True, slots=True)
class IssuedClient:
    """What a token of this installation says. scopes: in their short form. generation: Credential.generation."""

    client_id: str
    generation: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """until: when it expires, in seconds since 1970. Its rights are those of a caller, or of a client of ours."""

    until: float
    key_id: str
    keys: _Keys
    rights: Caller | IssuedClient

    def is_valid(self, now: float) -> bool:
        return now < self.until and self.keys.has(self.key_id)


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A token whose key is being fetched. ended: when that has ended, with success or not."""

    token: SignedToken
    keys: IssuerKeys
    ended: "Future[None]"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer, and its keys in this process."""

    issuer: Issuer
    keys: IssuerKeys


class TokenVerifier:
    """clock: in seconds since 1970."""

    def __init__(
        self, issuers: Iterable[TrustedIssuer], own: OwnTokens, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuers: Mapping[str, TrustedIssuer] = {trusted.issuer.issuer: trusted for trusted in issuers}
        self._own = own
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._verified: dict[bytes, VerifiedToken] = {}

    def verify(self, text: str) -> VerifiedToken | UnknownKey | None:
        """Return a verified token, or that its key is being fetched; None if it is no token of an issuer known here.

        Waits for the catalogue at most, and only for tokens of this installation.
        Raises InvalidCredential, or Unavailable if the issuer, or the catalogue, is unavailable.
        """
        digest = self._digest(text)
        known = self._verified.get(digest)
        if known is not None and known.is_valid(self._clock()):
            return known
        token = read_signed_token(text)
        if token is None:
            return None
        trusted = self._issuers.get(token.issuer)
        if trusted is None:
            return self._own_token(token, digest)
        token.check_header(trusted.issuer.algorithms)
        leeway_s, fetched_at = trusted.issuer.leeway_s, trusted.keys.fetched_at
        token.check_times(self._clock(), early_s=leeway_s, late_s=leeway_s)
        verified = self._outside_token(token, digest, trusted)
        if verified is not None:
            return verified
        ended = trusted.keys.fetch_unknown()
        if ended is not None:
            return UnknownKey(token, trusted.keys, ended)
        if trusted.keys.fetched_at != fetched_at:  # a fetch for another request has ended meanwhile
            verified = self._outside_token(token, digest, trusted)
        if verified is None:
            raise invalid_credential("no key of its issuer has signed the token", "signature")
        return verified

    def verify_fetched(self, unknown: UnknownKey) -> VerifiedToken:
        """Return the token whose key has been fetched. Raises InvalidCredential, or Unavailable if it was not."""
        token = unknown.token
        trusted = self._issuers[token.issuer]
        verified = self._outside_token(token, self._digest(token.text), trusted)
        if verified is not None:
            return verified
        if not unknown.ended.done() or not trusted.keys.is_available():
            raise trusted.keys.unavailable()
        raise invalid_credential("no key of its issuer has signed the token", "signature")

    def _outside_token(self, token: SignedToken, digest: bytes, trusted: TrustedIssuer) -> VerifiedToken | None:
        """Return the verified token of an issuer in the settings; None if its key is unknown."""
        key = token.signer(trusted.keys.find(token.key_id, token.algorithm))
        if key is None:
            return None
        token.check_use()
        leeway_s = trusted.issuer.leeway_s
        until = token.check_times(self._clock(), early_s=leeway_s, late_s=leeway_s)
        return self._remember(
            digest, VerifiedToken(until, key.id, trusted.keys, caller_of(token.claims, trusted.issuer))
        )

    def _own_token(self, token: SignedToken, digest: bytes) -> VerifiedToken | None:
        """Return the verified token of this installation; None if it is that of another issuer."""
        key = token.signer(self._own.find(token.key_id, token.algorithm)) if token.algorithm == ALGORITHM else None
        if key is None:
            return None
        claims = token.claims
        if claims.get("aud") != self._own.audience:
            raise invalid_credential("the token is for another audience (aud)", "audience")
        token.check_header([ALGORITHM])
        until = token.check_times(self._clock(), early_s=_LEEWAY_S, late_s=0.0)
        scopes = {scope.removeprefix(SCOPE_PREFIX) for scope in claims["scope"].split()} & set(SCOPES)
        client = IssuedClient(claims["client_id"], claims[GENERATION], frozenset(scopes))
        return self._remember(digest, VerifiedToken(until, key.id, self._own, client))

    def _remember(self, digest: bytes, token: VerifiedToken) -> VerifiedToken:
        if len(self._verified) >= _REMEMBERED:
            self._verified = {}
        self._verified[digest] = token
        return token

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=32).digest()


def unknown_issuer(text: str) -> InvalidCredential | None:
    """Return the error for a token of an issuer that is not known here; None if it is no JSON Web Token."""
    token = read_signed_token(text)
    if token is None:
        return None
    return invalid_credential("the issuer of the token is not accepted here", "issuer", issuer=token.issuer[:200])
