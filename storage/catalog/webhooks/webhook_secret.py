"""The secret that a webhook sends in a header, and which is never shown (AMB-12, -13)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from storage import error_codes
from storage.errors import Invalid
from storage.tables.rows import WebhookRow


def secret_after(row: WebhookRow, body: Mapping[str, Any]) -> str | None:
    """Return the secret after a PUT. A PUT without one keeps it, if header and receiver stay the same (AMB-12)."""
    if "api_key_name" not in body:
        return None
    if "api_key_value" in body:
        return str(body["api_key_value"])
    if body["api_key_name"] != row["doc"].get("api_key_name"):
        raise missing_secret("api_key_name has changed", "AMB-12")
    if _origin(body["url"]) != _origin(row["url"]):
        raise missing_secret("url has moved to another server", "AMB-12")
    secret: str | None = row["secret"]
    return secret


def missing_secret(reason: str, behaviour: str) -> Invalid:
    """The error for a webhook with the name of a header, but without its value."""
    return Invalid(
        f"api_key_value is required: {reason}",
        code=error_codes.WEBHOOK_SECRET,
        field="api_key_value",
        behaviour=behaviour,
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
