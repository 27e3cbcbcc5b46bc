"""What the console must know of this server before anyone has signed in, and the origins that its page may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from storage.catalog.caller import SCOPES
from storage.catalog.credential import SCOPE_PREFIX
from tams_server.pages.docs_login import CodeFlow, origin_of
from tams_server.settings import Settings
from tams_server.storage_backends_file import Entry, UrlTimeouts, read_backends


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins that the page may use besides this server's. media: to load from. sign_in: to connect to."""

    media: Sequence[str] = ()
    sign_in: Sequence[str] = ()


def console_settings(
    settings: Settings, token_path: str, code_flow: CodeFlow | None, api_version: str
) -> Mapping[str, Any]:
    """Return the document of console/settings.json: the ways to sign in. It holds no secret.

    token_path: of the token endpoint, below the server's URL. code_flow: for people to sign in, if there is one.
    """
    provider = None if code_flow is None else {"issuer": code_flow.issuer, "client_id": code_flow.client_id}
    return {
        "api_version": api_version,
        "authentication": settings.auth,
        "scope_prefix": SCOPE_PREFIX,
        "scopes": list(SCOPES),
        "token_url": token_path.lstrip("/"),
        "identity_provider": provider,
    }


def media_origins(settings: Settings) -> list[str]:
    """Return the origins of the media in S3 backends, and those of the settings.

    Raises SettingsError if the file of the storage backends is invalid.
    """
    found = settings.console_origins.split()
    if settings.storage_backends is not None:
        entries = read_backends(settings.storage_backends, UrlTimeouts.of(settings))
        found += [_origin(entry) for entry in entries if entry["kind"] == "s3"]
    return sorted(set(found))


def _origin(entry: Entry) -> str:
    endpoint = str(entry.get("public_endpoint", entry["endpoint"]))
    if entry.get("addressing_style") != "virtual":
        return origin_of(endpoint)
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{entry['bucket']}.{parts.netloc}"
