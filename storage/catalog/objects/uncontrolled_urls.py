"""Uncontrolled instances of objects: URLs outside the storage backends."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from storage import error_codes
from storage.catalog.environment import Environment
from storage.errors import Invalid
from storage.tables.limits import LABEL, MEDIA_URL, MEDIA_URLS, check_text
from storage.tables.rows import InstanceRow


def check_uncontrolled_url(env: Environment, url: str, label: str, name: str) -> None:
    """Reject a URL that is not absolute http or https, a URL or label that is too long, and a storage backend's label.

    name: of the item, to which errors add ".url" or ".label".

    Raises: Invalid (SB-USE-04).
    """
    try:
        parts = urlsplit(url)
        is_web_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web_url = False
    if not is_web_url:
        raise Invalid(
            f"{name}.url {url[:200]!r} must be an absolute http or https URL",
            code=error_codes.URL_NOT_ACCEPTED,
            field=f"{name}.url",
        )
    check_text(url, MEDIA_URL, f"{name}.url")
    check_text(label, LABEL, f"{name}.label")
    if env.store_labelled(label) is not None:
        raise Invalid(
            f"{name}.label {label!r} already exists as the label of a storage backend",
            code=error_codes.URL_LABEL_TAKEN,
            field=f"{name}.label",
            behaviour="SB-USE-04",
        )


def check_number_of_urls(env: Environment, number: int, field: str) -> None:
    """Reject more uncontrolled URLs of one object than every reading of its segments may return. Raises: Invalid."""
    if number > env.limits.instances_max:
        raise Invalid(
            f"{field}: an object has at most {env.limits.instances_max} uncontrolled URLs",
            code=error_codes.TOO_MANY_ITEMS,
            field=field,
        )


def check_size_of_urls(urls: Iterable[tuple[str, str]], field: str) -> None:
    """Reject labels and URLs of one object that are too long together: pages of segments repeat them all."""
    size = sum(
        len(label.encode("utf-8", "surrogatepass")) + len(url.encode("utf-8", "surrogatepass")) for label, url in urls
    )
    if size > MEDIA_URLS:
        raise Invalid(
            f"{field}: the uncontrolled URLs of an object, with their labels, have at most {MEDIA_URLS} bytes together,"
            f" not {size}",
            code=error_codes.TEXT_TOO_LONG,
            field=field,
        )


def uncontrolled_instance(env: Environment, object_id: str, url: str, label: str) -> InstanceRow:
    """The row of an uncontrolled instance."""
    return {
        "object_id": object_id,
        "instance": f"label:{label}",
        "storage_id": None,
        "label": label,
        "url": url,
        "created": env.clock(),
    }
