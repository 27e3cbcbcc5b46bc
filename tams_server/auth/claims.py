"""The caller that the claims of a verified token name, by the rules of its issuer."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from storage.catalog.caller import SCOPES, Caller
from storage.catalog.credential import SCOPE_PREFIX, is_group
from tams_server.auth.issuer import ClientRights, Issuer
from tams_server.auth.presented_credential import invalid_credential

_CLIENT_CLAIMS: Final = ("client_id", "azp", "appid", "cid")
_NAME_BYTES: Final = 256
"""The longest name of a principal in the catalogue."""
_NO_RIGHTS: Final = ClientRights()


def caller_of(claims: Mapping[str, Any], issuer: Issuer) -> Caller:
    """Return the caller. Raises InvalidCredential if the token is meant for others, or names nobody."""
    _check_purpose(claims, issuer)
    names = set(_names(claims, issuer.scope_claims))
    scopes = {name.removeprefix(SCOPE_PREFIX) for name in names if name.startswith(SCOPE_PREFIX)} & set(SCOPES)
    named = {group for path in issuer.groups_claims for group in _texts(claim(claims, path), divide=False)}
    groups = set(filter(is_group, named))  # others could not be told apart where classes are written as one text
    if not named and is_client(claims):
        rights = issuer.clients.get(client_id(claims), _NO_RIGHTS)
        groups |= rights.groups
        scopes |= rights.scopes
    for name in names:
        scopes |= issuer.scopes.get(name, frozenset())
    for group in groups:
        scopes |= issuer.group_scopes.get(group, frozenset())
    return Caller(_principal(claims, issuer), frozenset(scopes), frozenset(groups))


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by its name, or by a dotted path into nested claims; None if there is none.

    The whole path is tried as a name first: some issuers name claims by URLs.
    """
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def client_id(claims: Mapping[str, Any]) -> str:
    """Return the id of the client that fetched the token, or ""."""
    values = (claims.get(name) for name in _CLIENT_CLAIMS)
    return next((value for value in values if isinstance(value, str) and value), "")


def is_client(claims: Mapping[str, Any]) -> bool:
    """Whether the token was issued to a client for itself (client credentials), not for a person who uses it.

    By RFC 9068, section 2.2, the subject is the client then; Auth0, Entra ID and Keycloak have their own signs. That of
    Entra ID is a subject which is the object id too, while those of people are made for each application.
    """
    client, subject = client_id(claims), claims.get("sub")
    if not client:
        return False
    return (
        subject in (client, f"{client}@clients")
        or claims.get("gty") == "client-credentials"
        or claims.get("idtyp") == "app"
        or (isinstance(subject, str) and subject == claims.get("oid") and "scp" not in claims)
        or claims.get("preferred_username") == f"service-account-{client.lower()}"
    )


def _check_purpose(claims: Mapping[str, Any], issuer: Issuer) -> None:
    if claims.get("iss") != issuer.issuer:
        raise invalid_credential("the token is of another issuer", "issuer")
    if issuer.audiences and issuer.audiences.isdisjoint(_texts(claims.get("aud"), divide=False)):
        raise invalid_credential("the token is for another audience (aud)", "audience")
    for path, accepted in issuer.required_claims.items():
        if accepted.isdisjoint(_texts(claim(claims, path), divide=False)):
            raise invalid_credential(f"the token lacks the value that is required of its claim {path}", "claim")


def _principal(claims: Mapping[str, Any], issuer: Issuer) -> str:
    """Return the name of the caller, which no other issuer and no credential of this server can have.

    Tokens without the claim that names callers, such as those of clients, are named by their subject, marked as such.
    """
    value, mark = claim(claims, issuer.principal_claim), ""
    if not isinstance(value, str) or not value:
        value, mark = claims.get("sub"), "sub:"
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise invalid_credential(f"the token names no caller: neither {issuer.principal_claim} nor sub", "no caller")
    name = f"{issuer.name}:{mark}{value.replace('%', '%25').replace(':', '%3A')}"
    if len(name.encode()) > _NAME_BYTES:
        raise invalid_credential(f"the name of the caller in the token has more than {_NAME_BYTES} bytes", "no caller")
    return name


def _names(claims: Mapping[str, Any], paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield from _texts(claim(claims, path), divide=True)


def _texts(value: Any, *, divide: bool) -> list[str]:
    """Return the texts in a claim that is a list, or one text. divide: at spaces, as in `scope` (RFC 8693)."""
    if isinstance(value, str):
        return value.split() if divide else [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
