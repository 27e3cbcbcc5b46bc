"""How people and programs log in at /docs: what Swagger UI must know, and the origins that it connects to for it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from storage.catalog.caller import SCOPES
from storage.catalog.credential import SCOPE_PREFIX
from tams_server.specification.document import Json

_SCOPES: Mapping[str, str] = {
    f"{SCOPE_PREFIX}read": "Read metadata and media",
    f"{SCOPE_PREFIX}write": "Create and change",
    f"{SCOPE_PREFIX}delete": "Delete flows and segments",
    f"{SCOPE_PREFIX}admin": "All of these, and administer the service",
}
assert len(_SCOPES) == len(SCOPES)


@dataclass(frozen=True, slots=True)
class CodeFlow:
    """A client of an identity provider, for people (authorisation code with PKCE).

    issuer: its URL. origins: others that the browser must reach, such as that of the token endpoint.
    """

    client_id: str
    issuer: str
    origins: Sequence[str] = ()

    @property
    def allowed_origins(self) -> list[str]:
        """The origins that the page may connect to."""
        return [origin_of(self.issuer), *self.origins]


def with_logins(document: Json, token_path: str, code_flow: CodeFlow | None) -> Json:
    """Return the document with the ways to fetch a token, beside those to send one.

    token_path: of the token endpoint, below the server's URL.
    """
    document = copy.deepcopy(document)
    flow = {"tokenUrl": token_path.lstrip("/"), "scopes": dict(_SCOPES)}
    schemes: dict[str, Json] = {
        "client_credentials": {
            "type": "oauth2",
            "description": "A token of this server's own endpoint, for a client and its secret.",
            "flows": {"clientCredentials": flow},
        }
    }
    if code_flow is not None:
        schemes["identity_provider"] = {
            "type": "openIdConnect",
            "description": "A token of the identity provider, for people.",
            "openIdConnectUrl": f"{code_flow.issuer.rstrip('/')}/.well-known/openid-configuration",
        }
    document["components"]["securitySchemes"].update(schemes)
    document.setdefault("security", []).extend({name: []} for name in schemes)
    return document


def oauth_options(code_flow: CodeFlow | None) -> dict[str, Any] | None:
    """The options of Swagger UI's `initOAuth`; None if there is nothing to say."""
    if code_flow is None:
        return None
    return {
        "clientId": code_flow.client_id,
        "scopes": [f"{SCOPE_PREFIX}read"],  # chosen beforehand, in every flow
        "usePkceWithAuthorizationCodeGrant": True,
    }


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
