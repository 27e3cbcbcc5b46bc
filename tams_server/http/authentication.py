"""Authentication by bearer token, basic credential or token in the URL; and the scopes that operations require.

A credential in the Authorization header takes precedence over one in the URL; rights are never combined (AUTH-07).
"""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Literal

from starlette.types import Scope

from storage.catalog.caller import Caller
from storage.catalog.credentials import NO_PASSWORD, Credential, Credentials, password_matches
from storage.errors import Forbidden
from tams_server.errors import Unauthorized
from tams_server.http.headers import header
from tams_server.http.parameters import percent_decode
from tams_server.specification.document import Json, SpecificationError
from tams_server.specification.operations import Operation

TOKEN_PARAMETER = "access_token"  # noqa: S105 - the name of the parameter, not a token
_REALM = "TAMS"
_CACHED_S = 5.0
_CACHE_SIZE = 10_000
_SCRYPT_AT_ONCE = 2
_KNOWN_SCHEMES = (
    {"type": "http", "scheme": "bearer"},
    {"type": "http", "scheme": "basic"},
    {"type": "apiKey", "in": "query", "name": TOKEN_PARAMETER},
)


@dataclass(frozen=True, slots=True)
class PresentedCredential:
    """A credential as a request carries it, not yet verified. user: of basic credentials only."""

    kind: Literal["token", "basic"]
    secret: str
    user: str = ""


def check_schemes(document: Json) -> None:
    """Raises SpecificationError if the document requires an authentication scheme that is not implemented here."""
    declared = document["components"]["securitySchemes"]
    for requirement in document.get("security", []):
        for name in requirement:
            scheme = declared[name]
            if not any(all(scheme.get(key) == value for key, value in known.items()) for known in _KNOWN_SCHEMES):
                raise SpecificationError(f"securitySchemes.{name}: must be bearer, basic or ?{TOKEN_PARAMETER}=")


def read_credential(scope: Scope) -> PresentedCredential:
    """Return the credential of a request. Raises Unauthorized if it has none, or a malformed one."""
    authorization = header(scope, b"authorization")
    if authorization is not None:
        return _from_header(authorization)
    query: bytes = scope["query_string"]
    tokens = {
        value.replace("+", " ")
        for name, _, value in (pair.partition("=") for pair in query.decode("latin-1").split("&"))
        if percent_decode(name) == TOKEN_PARAMETER
    }
    if len(tokens) > 1:
        raise _invalid_credential(f"query parameter {TOKEN_PARAMETER}: must be given only once")
    if not tokens:
        raise Unauthorized(
            f"authentication is required: a bearer token, a basic credential or {TOKEN_PARAMETER} in the URL",
            headers=_challenge(),
        )
    token = percent_decode(tokens.pop())
    if not token:
        raise _invalid_credential(f"query parameter {TOKEN_PARAMETER}: must be a token")
    return PresentedCredential("token", token)


def _from_header(authorization: str) -> PresentedCredential:
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return PresentedCredential("token", value)
    if scheme.lower() == "basic" and value:
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            raise _invalid_credential(
                "the basic credential in the Authorization header must be base64 of UTF-8 text"
            ) from None
        if colon and "\0" not in user:
            return PresentedCredential("basic", password, user)
    raise _invalid_credential("the Authorization header must hold a bearer token or a basic credential")


def strip_access_token(query_string: str) -> str:
    """Return a raw query string without the access token, for links and logs (AUTH-08)."""
    if "token" not in query_string and "%" not in query_string:
        return query_string
    pairs = query_string.split("&")
    return "&".join(pair for pair in pairs if percent_decode(pair.partition("=")[0]) != TOKEN_PARAMETER)


class Authenticator:
    """Finds the caller of a credential. Callers are cached for a few seconds, in this process only."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._key = secrets.token_bytes(32)
        self._callers: dict[bytes, tuple[float, Caller]] = {}
        self._passwords: dict[bytes, str] = {}
        self._scrypt_slots = threading.BoundedSemaphore(_SCRYPT_AT_ONCE)

    def cached_caller(self, presented: PresentedCredential) -> Caller | None:
        """Return the caller if the cache has it. Does no I/O."""
        entry = self._callers.get(self._digest(presented))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def find_caller(self, presented: PresentedCredential) -> Caller:
        """Return the caller, with one read of the catalogue unless it is cached.

        Raises Unauthorized or storage.errors.Unavailable.
        """
        cached = self.cached_caller(presented)
        if cached is not None:
            return cached
        credential = self._find_credential(presented)
        now = time.time_ns() // 1000
        if credential is None or (credential.expires is not None and credential.expires <= now):
            raise _invalid_credential("the credential is unknown, expired or revoked")
        caller = Caller(credential.name, credential.scopes)
        left = _CACHED_S if credential.expires is None else (credential.expires - now) / 1e6
        if len(self._callers) >= _CACHE_SIZE:
            self._callers = {}
        self._callers[self._digest(presented)] = (time.monotonic() + min(left, _CACHED_S), caller)
        return caller

    def authenticate(self, scope: Scope) -> Caller:
        """Return the caller of an ASGI request. Raises Unauthorized or storage.errors.Unavailable."""
        return self.find_caller(read_credential(scope))

    def _find_credential(self, presented: PresentedCredential) -> Credential | None:
        if presented.kind == "token":
            return self._credentials.by_token(presented.secret)
        credential = self._credentials.by_user(presented.user)
        # The password is compared even if there is no such user, so that both cases take the same time.
        matches = self._password_matches(presented, credential.secret if credential else NO_PASSWORD)
        return credential if matches else None

    def _password_matches(self, presented: PresentedCredential, stored: str) -> bool:
        """Compare by scrypt once, then by a digest of the password that matched: scrypt is slow on purpose."""
        digest = self._digest(presented)
        if hmac.compare_digest(self._passwords.get(digest, ""), stored):
            return True
        with self._scrypt_slots:
            matches = password_matches(stored, presented.secret)
        if matches and stored != NO_PASSWORD:
            if len(self._passwords) >= _CACHE_SIZE:
                self._passwords = {}
            self._passwords[digest] = stored
        return matches

    def _digest(self, presented: PresentedCredential) -> bytes:
        text = f"{presented.kind}\0{presented.user}\0{presented.secret}"
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def check_scopes(caller: Caller, operation: Operation) -> None:
    """Raises Forbidden if `caller` has none of the scopes of `operation` (SCOPE-01 to -09, AUTH-06)."""
    if not caller.may(operation.scopes):
        needed = " or ".join(f"tams-api/{scope}" for scope in sorted(operation.scopes | {"admin"}))
        raise Forbidden(f"{operation.method} {operation.path} requires the scope {needed}", behaviour="AUTH-06")


def _invalid_credential(message: str) -> Unauthorized:
    return Unauthorized(message, headers=_challenge(', error="invalid_token"'))


def _challenge(error: str = "") -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{_REALM}"{error}, Basic realm="{_REALM}", charset="UTF-8"'}
