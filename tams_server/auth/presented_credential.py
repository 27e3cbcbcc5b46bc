"""A credential as a request carries it, and the errors of those that are not accepted (AUTH-*)."""

from dataclasses import dataclass
from typing import Literal

from tams_server import error_codes
from tams_server.errors import Unauthorized

_REALM = "TAMS"


@dataclass(frozen=True, slots=True)
class PresentedCredential:
    """A credential as a request carries it, not yet verified. user: of basic credentials only."""

    kind: Literal["token", "basic"]
    secret: str
    user: str = ""


class InvalidCredential(Unauthorized):
    """The request has a credential that is not accepted.

    reason, principal, issuer: why, whom it names, and which unknown issuer, for the audit log. Clients are told none.
    """

    default_code = error_codes.AUTH_INVALID

    def __init__(self, message: str, reason: str, principal: str = "", issuer: str = "") -> None:
        super().__init__(message, headers=challenge(', error="invalid_token"'))
        self.reason = reason
        self.principal = principal
        self.issuer = issuer


def unknown_credential(reason: str = "unknown", principal: str = "") -> InvalidCredential:
    """Return the error for every credential that is not valid now, with the same message for each reason."""
    return InvalidCredential("the credential is unknown, expired or revoked", reason, principal)


def invalid_credential(message: str, reason: str = "malformed", *, issuer: str = "") -> InvalidCredential:
    return InvalidCredential(message, reason, issuer=issuer)


def challenge(error: str = "") -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{_REALM}"{error}, Basic realm="{_REALM}", charset="UTF-8"'}
