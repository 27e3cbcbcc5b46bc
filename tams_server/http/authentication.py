"""The credential that a request carries: a bearer token, a basic credential or a token in the URL.

A credential in the Authorization header takes precedence over one in the URL; rights are never combined (AUTH-07).
"""

import base64
import re
from collections.abc import Mapping

from tams_server.auth.presented_credential import PresentedCredential, challenge, invalid_credential
from tams_server.errors import Unauthorized
from tams_server.http.parameters import percent_decode
from tams_server.specification.document import Json, SpecificationError

TOKEN_PARAMETER = "access_token"  # noqa: S105 - the name of the parameter, not a token
# The name may be percent-encoded in part. All other names are passed over at the speed of a search for "&", as this is
# done before the caller is known.
_TOKEN_PAIR = re.compile(
    "&" + "".join(f"(?:{char}|%(?i:{ord(char):02x}))" for char in TOKEN_PARAMETER) + r"(?:=([^&]*))?(?=&|\Z)"
)
_MAX_ENCODED_TOKEN = 8192
_KNOWN_SCHEMES = (
    {"type": "http", "scheme": "bearer"},
    {"type": "http", "scheme": "basic"},
    {"type": "apiKey", "in": "query", "name": TOKEN_PARAMETER},
)


def check_schemes(document: Json) -> None:
    """Raises SpecificationError if the document requires an authentication scheme that is not implemented here."""
    declared = document["components"]["securitySchemes"]
    for requirement in document.get("security", []):
        for name in requirement:
            scheme = declared[name]
            if not any(all(scheme.get(key) == value for key, value in known.items()) for known in _KNOWN_SCHEMES):
                raise SpecificationError(f"securitySchemes.{name}: must be bearer, basic or ?{TOKEN_PARAMETER}=")


class MissingCredential(Unauthorized):
    """The request has no credential at all."""


def remove_url_tokens(document: Json) -> None:
    """Remove tokens in URLs from the authentication schemes of a document."""
    schemes = document["components"]["securitySchemes"]
    in_urls = {name for name, scheme in schemes.items() if scheme.get("in") == "query"}
    for name in in_urls:
        del schemes[name]
    document["security"] = [each for each in document.get("security", []) if in_urls.isdisjoint(each)]


def _is_sent_unasked(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser may have added the credential by itself, to a request of a page of another site.

    Once a person has entered it in the dialog of the browser, images, links and forms of every page carry it. Scripts
    that send a credential of their own are subject to CORS (Sec-Fetch-Mode: cors), where responses to those that the
    browser adds cannot be read.
    """
    return headers.get(b"sec-fetch-site") == b"cross-site" and headers.get(b"sec-fetch-mode") != b"cors"


def read_credential(
    headers: Mapping[bytes, bytes], query_string: str, *, url_tokens: bool = True
) -> PresentedCredential:
    """Return the credential of a request.

    headers: the first value of each header, by lower-case name. query_string: as the client sent it.
    url_tokens: whether tokens in URLs are accepted.
    Raises MissingCredential if it has none; InvalidCredential if it is malformed, or in a URL where it must not be.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        presented = _from_header(authorization.decode("latin-1"))
        if presented.kind == "basic" and _is_sent_unasked(headers):
            raise invalid_credential(
                "a basic credential is not accepted with images, links and forms of another site; send a bearer token",
                "cross-site",
            )
        return presented
    tokens = {(match[1] or "").replace("+", " ") for match in _TOKEN_PAIR.finditer(f"&{query_string}")}
    if len(tokens) > 1:
        raise invalid_credential(f"query parameter {TOKEN_PARAMETER}: must be given only once")
    if not tokens:
        required = "a bearer token or a basic credential"
        if url_tokens:
            required = f"a bearer token, a basic credential or {TOKEN_PARAMETER} in the URL"
        raise MissingCredential(f"authentication is required: {required}", headers=challenge())
    if not url_tokens:
        raise invalid_credential(
            f"query parameter {TOKEN_PARAMETER}: this server accepts no tokens in URLs (TAMS_URL_TOKENS);"
            " send it as a bearer token in the Authorization header",
            "token in the URL",
        )
    encoded = tokens.pop()
    token = percent_decode(encoded) if len(encoded) <= _MAX_ENCODED_TOKEN else None
    if not token:
        raise invalid_credential(f"query parameter {TOKEN_PARAMETER}: must be a token")
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
            raise invalid_credential(
                "the basic credential in the Authorization header must be base64 of UTF-8 text"
            ) from None
        if colon and "\0" not in user:
            return PresentedCredential("basic", password, user)
    raise invalid_credential("the Authorization header must hold a bearer token or a basic credential")


def strip_access_token(query_string: str) -> str:
    """Return a raw query string without the access token, for links and logs (AUTH-08)."""
    if "token" not in query_string and "%" not in query_string:
        return query_string
    return _TOKEN_PAIR.sub("", f"&{query_string}")[1:]
