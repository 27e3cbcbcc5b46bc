"""Finds the caller of a credential: by the catalogue of credentials, or by a verified token, with a cache."""

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from storage.catalog.caller import Caller
from storage.catalog.clock import clock
from storage.catalog.credential import Credential
from storage.catalog.credentials import Credentials
from storage.catalog.passwords import NO_PASSWORD
from tams_server.auth.login_backoff import LoginBackOff
from tams_server.auth.machine_turns import MachineTurns
from tams_server.auth.password_checks import PasswordChecks
from tams_server.auth.presented_credential import PresentedCredential, unknown_credential
from tams_server.auth.token_verifier import IssuedClient, TokenVerifier, UnknownKey, VerifiedToken, unknown_issuer

CACHED_S: Final = 3.0
"""For how long a process accepts what it has read of a credential. A credential that was revoked or changed is rejected
everywhere within five seconds, the time that a request waits included."""
_CACHE_SIZE = 10_000
_KEY_WAIT_S: Final = 5.0
"""How long a request waits for the keys of an issuer."""
_KEY_WAITS: Final = 64
"""Requests that wait for them in each process. Others are told to come back."""
_KEY_WAITS_IN_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class UncheckedPassword:
    """A credential whose password must be compared with a hash. credential: None if there is no such user."""

    presented: PresentedCredential
    credential: Credential | None


class Authenticator:
    """Finds the caller of a credential. Callers are cached for a few seconds, in this process only."""

    def __init__(
        self,
        credentials: Credentials,
        turns: MachineTurns | None = None,
        backoff: LoginBackOff | None = None,
        tokens: TokenVerifier | None = None,
    ) -> None:
        """turns: for comparing passwords. backoff: after wrong ones. Both are shared with other processes.

        tokens: verifies JSON Web Tokens; None: none is accepted.
        """
        self._credentials = credentials
        self._tokens = tokens
        self._key_waits = threading.Semaphore(_KEY_WAITS)
        self._key_waits_in_threads = threading.Semaphore(_KEY_WAITS_IN_THREADS)
        self._key = secrets.token_bytes(32)
        self._callers: dict[bytes, tuple[float, Caller]] = {}
        self._passwords: dict[bytes, str] = {}
        self._checks = PasswordChecks(turns or MachineTurns(), backoff)
        self._no_users_until = 0.0

    def cached_caller(self, presented: PresentedCredential) -> Caller | None:
        """Return the caller if the cache has it. Does no I/O."""
        entry = self._callers.get(self._digest(presented))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def look_up(self, presented: PresentedCredential) -> Caller | UncheckedPassword | UnknownKey:
        """Return the caller, with one read of the catalogue unless it is cached, or what must be known first.

        Raises Unauthorized or storage.errors.Unavailable.
        """
        cached = self.cached_caller(presented)
        if cached is not None:
            return cached
        if presented.kind == "token":
            return self._bearer(presented)
        credential = self._credentials.by_user(presented.user)
        if credential is None and not self._may_have_users():
            raise unknown_credential()
        known = self._passwords.get(self._digest(presented), "")
        if credential is not None and known in credential.hashes(clock()):
            return self._caller(presented, credential)
        return UncheckedPassword(presented, credential)

    async def check(
        self, unchecked: UncheckedPassword | UnknownKey, presented: PresentedCredential, address: str
    ) -> Caller:
        """Return the caller if the password is right, or the key known by now. Occupies no thread that others need.

        address: of the client, or "". Raises Unauthorized, TooManyRequests or storage.errors.Unavailable.
        """
        if isinstance(unchecked, UnknownKey):
            with _place(unchecked, self._key_waits), suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(unchecked.ended)), _KEY_WAIT_S)
            return self._fetched(presented, unchecked)
        return self._checked(unchecked, await asyncio.wrap_future(self._start_check(unchecked, address)))

    def find_caller(self, presented: PresentedCredential, address: str = "") -> Caller:
        """Like `look_up` and `check`, waiting in this thread. Raises what they raise."""
        found = self.look_up(presented)
        if isinstance(found, Caller):
            return found
        if isinstance(found, UnknownKey):
            with _place(found, self._key_waits_in_threads), suppress(TimeoutError):
                found.ended.result(_KEY_WAIT_S)
            return self._fetched(presented, found)
        return self._checked(found, self._start_check(found, address).result())

    def _bearer(self, presented: PresentedCredential) -> Caller | UnknownKey:
        """Return the caller of a token: a JSON Web Token of an issuer that is known, or one of the catalogue."""
        verified = self._tokens.verify(presented.secret) if self._tokens else None
        if isinstance(verified, UnknownKey):
            return verified
        if verified is not None:
            return self._verified(presented, verified)
        credential = self._credentials.by_token(presented.secret)
        if credential is None:
            raise unknown_issuer(presented.secret) or unknown_credential()
        return self._caller(presented, credential)

    def _verified(self, presented: PresentedCredential, token: VerifiedToken) -> Caller:
        """Return the caller of a verified token. That of one issued here has the rights that its client has now."""
        rights, now = token.rights, clock()
        if isinstance(rights, Caller):
            return self._remember(presented, rights, token.until - now / 1e6)
        client = self._credentials.by_client(rights.client_id)
        return self._remember(presented, _issued_caller(client, rights, now), token.until - now / 1e6)

    def _fetched(self, presented: PresentedCredential, unknown: UnknownKey) -> Caller:
        assert self._tokens is not None
        return self._verified(presented, self._tokens.verify_fetched(unknown))

    def _start_check(self, unchecked: UncheckedPassword, address: str) -> "Future[str | None]":
        # The password is compared even if there is no such user, so that both cases take the same time.
        presented, credential = unchecked.presented, unchecked.credential
        if credential is None:
            return self._checks.start((NO_PASSWORD,), presented.secret, presented.user, address)
        replace = partial(self._credentials.replace_hash, credential)
        return self._checks.start(credential.hashes(clock()), presented.secret, presented.user, address, replace)

    def _checked(self, unchecked: UncheckedPassword, matching: str | None) -> Caller:
        """Return the caller of a password that was compared, and remember a digest of it if it is right."""
        presented, credential = unchecked.presented, unchecked.credential
        if matching is None or credential is None:
            raise unknown_credential("unknown" if credential is None else "wrong password", presented.user)
        if len(self._passwords) >= _CACHE_SIZE:
            self._passwords = {}
        self._passwords[self._digest(presented)] = matching
        return self._caller(presented, credential)

    def _caller(self, presented: PresentedCredential, credential: Credential | None) -> Caller:
        """Return the caller of a verified credential, and cache it. Raises Unauthorized unless it is active."""
        now = clock()
        if credential is None:
            raise unknown_credential()
        state = credential.state(now)
        if state != "active":
            raise unknown_credential(state, credential.name)
        caller = Caller(credential.name, credential.scopes, credential.groups)
        left = CACHED_S if credential.expires is None else (credential.expires - now) / 1e6
        return self._remember(presented, caller, left)

    def _remember(self, presented: PresentedCredential, caller: Caller, left: float) -> Caller:
        """Cache a caller, for `left` seconds at most, and return it."""
        if len(self._callers) >= _CACHE_SIZE:
            self._callers = {}
        self._callers[self._digest(presented)] = (time.monotonic() + min(left, CACHED_S), caller)
        return caller

    def _may_have_users(self) -> bool:
        """Whether any password can be right. That there is none is known for a few seconds."""
        now = time.monotonic()
        if now >= self._no_users_until:
            if self._credentials.has_users():
                return True
            self._no_users_until = now + CACHED_S
        return False

    def _digest(self, presented: PresentedCredential) -> bytes:
        text = f"{presented.kind}\0{presented.user}\0{presented.secret}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key).digest()


@contextmanager
def _place(unknown: UnknownKey, places: threading.Semaphore) -> Iterator[None]:
    """Hold one of the places for requests that wait for keys. Raises Unavailable if there is none."""
    if not places.acquire(blocking=False):
        raise unknown.keys.unavailable()
    try:
        yield
    finally:
        places.release()


def _issued_caller(client: Credential | None, issued: IssuedClient, now: int) -> Caller:
    """Return the caller of a token that was issued here. Raises Unauthorized unless its client may still use it."""
    state = "unknown" if client is None else client.state(now)
    if client is None or state != "active":
        raise unknown_credential(state, issued.client_id)
    if not client.accepts_generation(issued.generation, now):
        raise unknown_credential("the secret was changed", issued.client_id)
    scopes = issued.scopes if "admin" in client.scopes else client.scopes & issued.scopes
    return Caller(client.name, scopes, client.groups)
