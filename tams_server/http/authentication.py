"""Who asks, and whether they may: the three ways to present a credential, and the scopes of operations.

A credential in the Authorization header wins over one in the URL; rights are never added up (AUTH-07).
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
from tams_server.http.parameters import decoded
from tams_server.http.request_bodies import header
from tams_server.specification.document import Json, SpecificationError
from tams_server.specification.operations import Operation

TOKEN_PARAMETER = "access_token"  # noqa: S105 - the name of the parameter, not a token
_REALM = "TAMS"
_REMEMBERED_S = 5.0
_REMEMBERED_MAX = 10_000
_SCHEMES = (
    {"type": "http", "scheme": "bearer"},
    {"type": "http", "scheme": "basic"},
    {"type": "apiKey", "in": "query", "name": TOKEN_PARAMETER},
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as a request carries it. user: for basic only. in_url: a token from the query (AUTH-03)."""

    kind: Literal["token", "basic"]
    secret: str
    user: str = ""
    in_url: bool = False


def check_schemes(document: Json) -> None:
    """Raises SpecificationError where the document asks for a way to authenticate that is not known here."""
    declared = document["components"]["securitySchemes"]
    for requirement in document.get("security", []):
        for name in requirement:
            scheme = declared[name]
            if not any(all(scheme.get(key) == value for key, value in known.items()) for known in _SCHEMES):
                raise SpecificationError(f"securitySchemes.{name}: not one of bearer, basic and ?{TOKEN_PARAMETER}=")


def presented_in(scope: Scope) -> Presented:
    """The credential of a request. Raises Unauthorized where there is none, or one that cannot be read."""
    authorization = header(scope, b"authorization")
    if authorization is not None:
        return _from_header(authorization)
    query: bytes = scope["query_string"]
    tokens = {
        value.replace("+", " ")
        for name, _, value in (pair.partition("=") for pair in query.decode("latin-1").split("&"))
        if decoded(name) == TOKEN_PARAMETER
    }
    if len(tokens) > 1:
        raise _refused(f"query parameter {TOKEN_PARAMETER}: may be given once only")
    if not tokens:
        raise Unauthorized("a credential is needed: bearer, basic, or access_token in the URL", headers=_asked())
    token = decoded(tokens.pop())
    if not token:
        raise _refused(f"query parameter {TOKEN_PARAMETER}: is not a token")
    return Presented("token", token, in_url=True)


def _from_header(authorization: str) -> Presented:
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return Presented("token", value)
    if scheme.lower() == "basic" and value:
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            raise _refused("the Authorization header does not hold a basic credential that can be read") from None
        if colon and "\0" not in user:
            return Presented("basic", password, user)
    raise _refused("the Authorization header holds neither a bearer token nor a basic credential")


def without_token(query_string: str) -> str:
    """A raw query string without the token, for links and logs (T26, AUTH-08)."""
    if "token" not in query_string and "%" not in query_string:
        return query_string
    pairs = query_string.split("&")
    return "&".join(pair for pair in pairs if decoded(pair.partition("=")[0]) != TOKEN_PARAMETER)


class Authenticator:
    """Turns credentials into callers. What was let in is remembered for a few seconds, in this process only."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._key = secrets.token_bytes(32)
        self._callers: dict[bytes, tuple[float, Caller]] = {}
        self._passwords: dict[bytes, str] = {}
        self._scrypt_turns = threading.BoundedSemaphore(2)

    def remembered(self, presented: Presented) -> Caller | None:
        """The caller, where it was let in a moment ago. No I/O."""
        entry = self._callers.get(self._digest(presented))
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def caller(self, presented: Presented) -> Caller:
        """The caller, from the catalogue: one read. Raises Unauthorized, or storage.errors.Unavailable."""
        known = self.remembered(presented)
        if known is not None:
            return known
        credential = self._find(presented)
        now = time.time_ns() // 1000
        if credential is None or (credential.expires is not None and credential.expires <= now):
            raise _refused("the credential is not known here, has expired or was withdrawn")
        caller = Caller(credential.name, credential.scopes)
        left = _REMEMBERED_S if credential.expires is None else (credential.expires - now) / 1e6
        if len(self._callers) >= _REMEMBERED_MAX:
            self._callers = {}
        self._callers[self._digest(presented)] = (time.monotonic() + min(left, _REMEMBERED_S), caller)
        return caller

    def authenticate(self, scope: Scope) -> Caller:
        """The caller of an ASGI request. Raises Unauthorized, or storage.errors.Unavailable."""
        return self.caller(presented_in(scope))

    def _find(self, presented: Presented) -> Credential | None:
        if presented.kind == "token":
            return self._credentials.by_token(presented.secret)
        credential = self._credentials.by_user(presented.user)
        matches = self._password_matches(presented, credential.secret if credential else NO_PASSWORD)
        return credential if matches else None

    def _password_matches(self, presented: Presented, secret: str) -> bool:
        """Compares by scrypt once; afterwards by the digest of what matched, so that not every request pays for it."""
        digest = self._digest(presented)
        if hmac.compare_digest(self._passwords.get(digest, ""), secret):
            return True
        with self._scrypt_turns:
            matches = password_matches(secret, presented.secret)
        if matches and secret != NO_PASSWORD:
            if len(self._passwords) >= _REMEMBERED_MAX:
                self._passwords = {}
            self._passwords[digest] = secret
        return matches

    def _digest(self, presented: Presented) -> bytes:
        text = f"{presented.kind}\0{presented.user}\0{presented.secret}"
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def check_scopes(caller: Caller, operation: Operation) -> None:
    """Raises Forbidden where `caller` holds none of the scopes of `operation` (SCOPE-01 to -09, AUTH-06)."""
    if not caller.may(operation.scopes):
        needed = " or ".join(f"tams-api/{scope}" for scope in sorted(operation.scopes | {"admin"}))
        raise Forbidden(f"{operation.method} {operation.path} needs the scope {needed}", behaviour="AUTH-06")


def _refused(message: str) -> Unauthorized:
    return Unauthorized(message, headers=_asked(', error="invalid_token"'))


def _asked(error: str = "") -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{_REALM}"{error}, Basic realm="{_REALM}", charset="UTF-8"'}
