"""The classes that a resource names in its tag `auth_classes`, as rows of the table of classes have them (AUTHZ-01)."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.tables.limits import NAME
from storage.tables.rows import TagOwner

TAG = "auth_classes"
OWNERS: Mapping[TagOwner, str] = {
    "flow": "flows",
    "source": "sources",
    "webhook": "webhooks",
    "deleted_flow": "deleted_flows",
    "deleted_source": "deleted_sources",
}
"""The tables of the resources that have classes, by kind."""


def class_names(value: str | Sequence[str]) -> list[str]:
    """The classes in the value of the tag: the items of a list, or of a text the parts between commas.

    Names are without spaces around them, each once and in order. Longer ones than any group may have are left out.
    """
    items = value.split(",") if isinstance(value, str) else value
    names = dict.fromkeys(item.strip() for item in items)
    return sorted(name for name in names if name and len(name.encode("utf-8", "surrogatepass")) <= NAME)


def classes_of_document(doc: Any) -> list[str] | None:
    """The classes of the resource with this document; None if it does not have the tag."""
    tags = doc.get("tags") or {}
    return class_names(tags[TAG]) if TAG in tags else None
