"""The uncontrolled instances that the get_urls of registered segments add to objects (SEG-POST-39 to -44, A43)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.environment import Environment
from storage.catalog.objects.uncontrolled_urls import (
    check_number_of_urls,
    check_size_of_urls,
    check_uncontrolled_url,
    uncontrolled_instance,
)
from storage.errors import Invalid
from storage.tables.rows import InstanceRow


class NewInstances:
    """Decides which instances the items of one request add. stored: the instances that their objects have."""

    def __init__(self, env: Environment, stored: Iterable[InstanceRow]) -> None:
        self._env = env
        self._urls: dict[str, dict[str | None, str | None]] = {}
        for row in stored:
            self._urls.setdefault(row["object_id"], {})[row["label"]] = row["url"]

    def from_item(self, item: Mapping[str, Any]) -> list[InstanceRow]:
        """The rows of the instances that a segment adds. Nothing is recorded until `accept`.

        A URL that the object already has under the same label is skipped.

        Raises: Invalid.
        """
        urls = dict(self._urls.get(item["object_id"], {}))
        added: list[InstanceRow] = []
        for position, each in enumerate(item.get("get_urls", ())):
            name, url, label = f"get_urls.{position}", each["url"], each["label"]
            check_uncontrolled_url(self._env, url, label, name)
            if label in urls:
                if urls[label] == url and not any(row["label"] == label for row in added):
                    continue
                raise Invalid(
                    f"{name}.label {label!r} already exists on an instance of this object",
                    code=error_codes.URL_LABEL_TAKEN,
                    field=f"{name}.label",
                    behaviour="SEG-POST-41",
                )
            urls[label] = url
            check_number_of_urls(self._env, len(urls.keys() - {None}), name)
            added.append(uncontrolled_instance(self._env, item["object_id"], url, label))
        if added:
            check_size_of_urls([(label or "", url or "") for label, url in urls.items()], "get_urls")
        return added

    def accept(self, rows: Sequence[InstanceRow]) -> None:
        """Record instances, so that the next items of the request see them."""
        for row in rows:
            self._urls.setdefault(row["object_id"], {})[row["label"]] = row["url"]
