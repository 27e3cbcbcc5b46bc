"""A JSON Web Token as a request carries it: its parts, its signature and its times (RFC 7519, RFC 8725)."""

import binascii
import math
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry, deserialize_compact

from tams_server.auth.issuer import ALGORITHMS
from tams_server.auth.key_set import VerificationKey
from tams_server.auth.presented_credential import invalid_credential

_MAX_LENGTH: Final = 16 * 2**10
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})
"""The header `typ` of access tokens, in lower case. Others belong to logouts, proofs and the like."""
_OTHER_USES: Final = {"token_use": {"id"}, "typ": {"ID", "Refresh", "Offline", "Logout"}}
"""Claims by which Cognito and Keycloak mark tokens that are no access tokens."""


class _Registry(JWSRegistry):
    """Algorithms by our own list, and headers of any name: an issuer may add some, and `crit` is rejected before."""

    max_header_length = 4096
    max_payload_length = _MAX_LENGTH
    max_signature_length = 2048

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """header, claims: not verified until `signer` has found its key."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def algorithm(self) -> str:
        """The header `alg`, or "" if it is no text."""
        return _text(self.header.get("alg"))

    @property
    def issuer(self) -> str:
        """The claim `iss`, or "" if it is no text."""
        return _text(self.claims.get("iss"))

    @property
    def key_id(self) -> str | None:
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    def check_header(self, algorithms: Collection[str]) -> None:
        """Raises InvalidCredential for a header that is not that of an access token with one of these algorithms."""
        if self.algorithm not in algorithms:
            raise invalid_credential("the token is signed by an algorithm that is not accepted", "algorithm")
        if "crit" in self.header:
            raise invalid_credential("the header of the token has critical extensions (crit)", "crit")
        kind = self.header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise invalid_credential("the token is not an access token (typ)", "token type")

    def signer(self, keys: Iterable[VerificationKey]) -> VerificationKey | None:
        """Return which of the keys has signed the token."""
        for each in keys:
            try:
                deserialize_compact(self.text, each.key, registry=_REGISTRY)
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            return each
        return None

    def check_use(self) -> None:
        """Raises InvalidCredential for a token that is not meant to be sent by a bearer."""
        for name, values in _OTHER_USES.items():
            if _text(self.claims.get(name)) in values:
                raise invalid_credential("the token is not an access token", "token type")
        if "cnf" in self.claims:
            raise invalid_credential(
                "the token is bound to a key of its client (cnf), which is not supported here", "bound token"
            )

    def check_times(self, now: float, *, early_s: float, late_s: float) -> float:
        """Return the time at which the token expires, `late_s` included. Times are in seconds since 1970.

        early_s, late_s: for how long it is accepted before it begins, and after it has expired.
        Raises InvalidCredential if that has passed, or if the token is not valid yet.
        """
        expires = self._time("exp")
        if expires is None:
            raise invalid_credential("the token has no expiry (exp)", "no expiry")
        if now >= expires + late_s:
            raise invalid_credential("the token has expired", "expired")
        for name in ("nbf", "iat"):
            begins = self._time(name)
            if begins is not None and begins > now + early_s:
                raise invalid_credential(f"the token is not valid yet ({name})", "not yet valid")
        return expires + late_s

    def _time(self, name: str) -> float | None:
        value = self.claims.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise invalid_credential(f"the claim {name} of the token is not a time", "malformed")
        return float(value)


def read_signed_token(text: str) -> SignedToken | None:
    """Return the parts of a JSON Web Token; None if the text is not one. Nothing is verified yet."""
    if text.count(".") != 2 or len(text) > _MAX_LENGTH or not text.isascii():
        return None
    header, claims = (_json_object(part) for part in text.split(".")[:2])
    return None if header is None or claims is None or "alg" not in header else SignedToken(text, header, claims)


def _text(value: Any) -> str:
    """Return a member that is a text, or "". Others must not be written out: they may be nested too deeply for that."""
    return value if isinstance(value, str) else ""


def _json_object(part: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None
