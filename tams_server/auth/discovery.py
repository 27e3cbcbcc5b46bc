"""Where the keys of an issuer are, and fetching them (OpenID Connect Discovery 1.0, section 4)."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from storage.errors import Unavailable
from tams_server.auth.issuer import Issuer
from tams_server.auth.issuer_keys import IssuerKeys
from tams_server.auth.key_set import KeySet, read_key_set
from tams_server.auth.token_verifier import TrustedIssuer

PATH: Final = "/.well-known/openid-configuration"

Fetch = Callable[[str], Any]
"""Returns the JSON document at a URL; may raise storage.errors.TamsError."""


def trusted_issuers(issuers: Iterable[Issuer], fetch_of: Callable[[Issuer], Fetch]) -> list[TrustedIssuer]:
    """Return the issuers with their keys, of which none is fetched yet. fetch_of: returns how to reach an issuer."""
    return [
        TrustedIssuer(each, IssuerKeys(each.issuer, partial(_fetch_keys, each, fetch_of(each)))) for each in issuers
    ]


def _fetch_keys(issuer: Issuer, fetch: Fetch) -> KeySet:
    """Return the keys of an issuer. Raises TamsError or ValueError."""
    return read_key_set(fetch(issuer.jwks_url or _find_jwks_url(issuer, fetch)))


def _find_jwks_url(issuer: Issuer, fetch: Fetch) -> str:
    url = issuer.issuer.rstrip("/") + PATH
    document = fetch(url)
    if not isinstance(document, dict) or document.get("issuer") != issuer.issuer:
        raise Unavailable(f"{url} is not about the issuer {issuer.issuer}, but about another one or none")
    found = document.get("jwks_uri")
    if not isinstance(found, str):
        raise Unavailable(f"{url} does not say where the keys are (jwks_uri)")
    if issuer.issuer.startswith("https:") and not found.lower().startswith("https:"):
        raise Unavailable(f"{url} says that the keys are at {found}, but they must be fetched by https too")
    return found
