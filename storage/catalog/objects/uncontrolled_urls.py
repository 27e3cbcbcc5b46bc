"""Instances of objects that are outside the storage backends: URLs that this server does not control."""

from typing import Any
from urllib.parse import urlsplit

from storage.catalog.environment import Environment
from storage.errors import Invalid


def check_uncontrolled(env: Environment, url: str, label: str, name: str) -> None:
    """Refuse a URL that no GET can be made to, one or a label that is too long, and the label of a storage backend
    (SB-USE-04)."""
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        reachable = False
    if not reachable:
        raise Invalid(f"{name}.url {url[:200]!r} must be an absolute http or https URL", field=f"{name}.url")
    for part, value, most in (("url", url, env.limits.url_max_chars), ("label", label, env.limits.label_max_chars)):
        if len(value) > most:
            raise Invalid(
                f"{name}.{part} must have at most {most} characters, not {len(value)}", field=f"{name}.{part}"
            )
    if env.store_labelled(label) is not None:
        raise Invalid(
            f"{name}.label {label!r} is the label of a storage backend", field=f"{name}.label", behaviour="SB-USE-04"
        )


def uncontrolled_row(env: Environment, object_id: str, url: str, label: str) -> dict[str, Any]:
    return {
        "object_id": object_id,
        "instance": f"label:{label}",
        "storage_id": None,
        "label": label,
        "url": url,
        "created": env.clock(),
    }
