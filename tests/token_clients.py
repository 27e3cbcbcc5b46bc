"""Clients that fetch tokens, with ids and secrets that the command for them does not accept."""

import secrets
from collections.abc import Iterable

from storage.catalog.credential import hash_secret, new_row
from storage.catalog.credentials import Credentials


def add_client(
    credentials: Credentials,
    client_id: str,
    scopes: Iterable[str],
    *,
    groups: Iterable[str] = (),
    secret: str | None = None,
) -> str:
    """Add a client, or replace it. secret: random by default. Returns the secret."""
    secret = secrets.token_urlsafe(32) if secret is None else secret
    credentials._put(new_row("client", client_id, hash_secret(secret), scopes, groups))
    return secret
