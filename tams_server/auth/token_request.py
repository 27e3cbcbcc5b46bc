"""Requests for tokens by client credentials (RFC 6749, sections 2.3.1, 4.4 and 5): what they say and what they get."""

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from storage.catalog.caller import SCOPES
from storage.catalog.credential import SCOPE_PREFIX, Credential

_FIELDS: Final = frozenset({"grant_type", "client_id", "client_secret", "scope"})
_MAX_FIELDS: Final = 50
_MAX_QUERY: Final = 2 * 2**10
"""What is read of a query, only to say that parameters do not belong there."""
_MAX_HEADER: Final = 4 * 2**10


class TokenError(Exception):
    """An error of RFC 6749, section 5.2. code: as that section names it.

    reason, client_id: for the audit log, of a client that was not accepted.
    in_header: whether that client was named in the Authorization header.
    """

    def __init__(
        self, code: str, description: str, *, reason: str = "", client_id: str = "", in_header: bool = False
    ) -> None:
        super().__init__(description)
        self.code = code
        self.reason = reason
        self.client_id = client_id
        self.in_header = in_header


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """credentials: the id and the secret of the client, each in the ways in which they may have been encoded.

    in_header: whether they were in the Authorization header. scopes: in their short form; None if none are named, for
    all of the client.
    """

    credentials: tuple[tuple[str, str], ...] = field(repr=False)
    in_header: bool
    scopes: frozenset[str] | None


def read_token_request(authorization: str | None, content_type: str, query: str, body: bytes) -> TokenRequest:
    """Return a request. authorization: the header, if there is one. query: as in the URL. Raises TokenError."""
    _check_query(query)
    form = _read_form(content_type, body)
    in_header = None if authorization is None else _read_header(authorization)
    grant_type = form.get("grant_type")
    credentials = _client_credentials(in_header, form)
    if grant_type is None:
        raise TokenError("invalid_request", "grant_type is missing")
    if grant_type != "client_credentials":
        raise TokenError("unsupported_grant_type", "grant_type must be client_credentials")
    return TokenRequest(credentials, in_header is not None, _read_scopes(form.get("scope")))


def granted_scopes(request: TokenRequest, client: Credential) -> frozenset[str]:
    """Return the scopes of the token. Raises TokenError if the client may not have those that it asks for."""
    if request.scopes is None:
        return client.scopes
    allowed = frozenset(SCOPES) if "admin" in client.scopes else client.scopes
    if not request.scopes <= allowed:
        missing = ", ".join(SCOPE_PREFIX + scope for scope in sorted(request.scopes - allowed))
        raise TokenError("invalid_scope", f"the client may not have the scope {missing}")
    return request.scopes


def _check_query(query: str) -> None:
    """Raises TokenError for a query with parameters of token requests, which would end up in logs, or with too many."""
    if len(query) > _MAX_QUERY:
        raise TokenError("invalid_request", f"the query must have at most {_MAX_QUERY} characters")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise TokenError("invalid_request", f"the query must have at most {_MAX_FIELDS} parameters") from None
    if any(name in _FIELDS for name, _ in pairs):
        raise TokenError("invalid_request", "the parameters must be in the body, not in the URL")


def _read_form(content_type: str, body: bytes) -> Mapping[str, str]:
    """Return the fields that have a value; others count as left out."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise TokenError("invalid_request", "Content-Type must be application/x-www-form-urlencoded")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise TokenError("invalid_request", "the body must be a form in UTF-8, with few fields") from None
    names = [name for name, _ in pairs]
    for name in _FIELDS:
        if names.count(name) > 1:
            raise TokenError("invalid_request", f"{name} must be given only once")
    return {name: value for name, value in pairs if value}


def _read_header(authorization: str) -> tuple[str, str] | None:
    """Return the id and the secret in a basic credential; None for another scheme, which says nothing of a client."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    name = colon = secret = ""
    if len(value) <= _MAX_HEADER:
        with suppress(ValueError):
            name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    if not colon:
        description = f"the basic credential must be base64 of id:secret, with at most {_MAX_HEADER} characters"
        raise TokenError("invalid_client", description, reason="malformed", in_header=True)
    return name, secret


def _client_credentials(in_header: tuple[str, str] | None, form: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if in_header is not None:
        if "client_secret" in form:
            raise TokenError("invalid_request", "the client must authenticate itself in one way only")
        name, secret = in_header
        decoded = (unquote_plus(name), unquote_plus(secret))
        if form.get("client_id", name) not in (name, decoded[0]):
            raise TokenError("invalid_request", "client_id differs from the client in the Authorization header")
        # RFC 6749 has both encoded as in a form, which many clients leave out.
        return (decoded,) if decoded == in_header else (decoded, in_header)
    if "client_id" not in form or "client_secret" not in form:
        raise TokenError("invalid_client", "the client must authenticate itself", reason="no credential")
    return ((form["client_id"], form["client_secret"]),)


def _read_scopes(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    names = text.split()
    known = {SCOPE_PREFIX + scope: scope for scope in SCOPES}
    if not names or not known.keys() >= set(names):
        raise TokenError("invalid_scope", f"scope must be some of {', '.join(known)}, with spaces between them")
    return frozenset(known[name] for name in names)
