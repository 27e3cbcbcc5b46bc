"""The reference model of fine-grained authorisation: what a principal may do, from classes and groups alone.

It knows nothing of tables and queries, and is short enough to be read as the specification.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

PERMISSIONS = ("read", "write", "delete")
Tag = str | list[str] | None
"""The value of `auth_classes`; None for a resource without the tag."""


@dataclass(frozen=True)
class Principal:
    groups: frozenset[str]
    admin: bool
    untagged_is_open: bool
    deny_prefix: str

    def may(self, permission: str, tag: Tag) -> bool:
        if self.admin or "admin" in self.groups:
            return True
        if tag is None:
            return self.untagged_is_open
        classes = {name.strip() for name in (tag.split(",") if isinstance(tag, str) else tag)} - {""}
        granting = {group for group in self.groups if group.endswith(f"_{permission}") and not self.denies(group)}
        denied = {name.removeprefix(self.deny_prefix) for name in classes if self.denies(name)}
        return not granting.isdisjoint(classes) and granting.isdisjoint(denied)

    def denies(self, name: str) -> bool:
        return bool(self.deny_prefix) and name.startswith(self.deny_prefix)

    def status(self, permission: str, tags: Collection[Tag]) -> int:
        """Of a request about a resource, or about an object that flows with these tags use; none if it is not there."""
        found = {each for each in PERMISSIONS if any(self.may(each, tag) for tag in tags)}
        return 200 if permission in found else 403 if found else 404

    def may_change(self, before: Tag, after: Tag) -> bool:
        old, new = self.classes(before), self.classes(after)
        about = {each for each in PERMISSIONS for name in old ^ new if not name or name.endswith(f"_{each}")}
        return before == after or (self.may("write", before) and all(self.may(each, before) for each in about))

    def classes(self, tag: Tag) -> set[str]:
        if tag is None:
            return {""} if self.untagged_is_open else set()
        return {name.strip() for name in (tag.split(",") if isinstance(tag, str) else tag)} - {""}

    def readable(self, tags: Mapping[Any, Tag]) -> list[Any]:
        """The keys of the resources that may be read, in the order given."""
        return [key for key, tag in tags.items() if self.may("read", tag)]
