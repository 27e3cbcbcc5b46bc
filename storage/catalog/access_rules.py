"""The rule by which the groups of a caller have permissions on resources with classes (AUTHZ-01, -03, -10, -11).

A name grants a permission if it ends with a suffix of that permission: `news_read` grants read. A caller has a
permission on a resource if one of its groups grants it and is among the classes of the resource, unless a class of the
resource denies it: the deny prefix followed by a group of the caller that grants it.

A resource without the tag has the class UNTAGGED, which grants everything to everybody, or nothing, by setting.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

Permission = Literal["read", "write", "delete"]

PERMISSIONS: Final[tuple[Permission, ...]] = ("read", "write", "delete")
ALL: Final[frozenset[Permission]] = frozenset(PERMISSIONS)
NONE: Final[frozenset[Permission]] = frozenset()
UNTAGGED: Final = ""
"""The class of a resource without the tag. No tag can name it."""
_CACHED = 4096

_SUFFIXES: Mapping[Permission, tuple[str, ...]] = MappingProxyType({each: (f"_{each}",) for each in PERMISSIONS})


@dataclass(frozen=True, slots=True)
class DefaultClass:
    """A class that new resources without the tag get. group: only from callers with this group; None from all.

    name: None stands for all groups of the caller that grant anything.
    """

    name: str | None
    group: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AccessRules:
    """The rules of one deployment.

    enabled: False lets every caller do what its scopes permit. suffixes: of names, by the permission that they grant.
    admin_group: may do everything; None for no such group. creators: groups that may create a flow with a new source;
    None for those that grant write. default_classes: of new resources whose documents have no classes.
    untagged_is_open: whether everybody may use a resource without the tag, or only an admin.
    creators_extend_sources: whether anyone who may create may also add flows to a source that exists.
    spreads: whether changes of classes spread from a source to its flows, and from a collection to its members.
    deny_prefix: "" if no class denies anything.
    """

    enabled: bool = True
    suffixes: Mapping[Permission, tuple[str, ...]] = field(default_factory=lambda: _SUFFIXES)
    admin_group: str | None = "admin"
    creators: frozenset[str] | None = None
    default_classes: tuple[DefaultClass, ...] = ()
    untagged_is_open: bool = False
    creators_extend_sources: bool = False
    spreads: bool = False
    deny_prefix: str = ""

    def granted(self, name: str) -> frozenset[Permission]:
        """The permissions that a class or a group of this name is about: it grants or, with the prefix, denies them."""
        if name == UNTAGGED:
            return ALL if self.untagged_is_open else NONE
        if self.denies(name):
            name = name[len(self.deny_prefix) :]
        return frozenset(each for each in PERMISSIONS if name.endswith(self.suffixes[each]))

    def denies(self, name: str) -> bool:
        """Whether a class of this name denies what it is about."""
        return bool(self.deny_prefix) and name.startswith(self.deny_prefix)

    def is_admin(self, groups: frozenset[str]) -> bool:
        return self.admin_group is not None and self.admin_group in groups

    def may_create(self, groups: frozenset[str]) -> bool:
        """Whether callers with these groups may create a flow with a new source (AUTHZ-04)."""
        if self.creators is not None:
            return not groups.isdisjoint(self.creators)
        return any("write" in self.granted(name) for name in groups if not self.denies(name))

    def defaults_of(self, groups: frozenset[str]) -> list[str]:
        """The classes of a new resource that names none; empty if callers with these groups have no defaults."""
        names: set[str] = set()
        for each in self.default_classes:
            if each.group is not None and each.group not in groups:
                continue
            own = (name for name in groups if not self.denies(name) and self.granted(name))
            names.update(own if each.name is None else [each.name])
        return sorted(names)


NO_RULES: Final = AccessRules(enabled=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """The classes that give permissions to certain groups, and those that take them away, by permission.

    names: all of them, sorted. No other class of a resource makes a difference.
    """

    allowing: Mapping[Permission, frozenset[str]]
    denying: Mapping[Permission, frozenset[str]]
    names: tuple[str, ...]

    def permissions(self, classes: Iterable[str]) -> frozenset[Permission]:
        """The permissions on a resource with these classes."""
        names = frozenset(classes)
        return frozenset(
            each
            for each in PERMISSIONS
            if not names.isdisjoint(self.allowing[each]) and names.isdisjoint(self.denying[each])
        )


@lru_cache(_CACHED)
def reach_of(rules: AccessRules, groups: frozenset[str]) -> Reach:
    """What the classes of resources mean for callers with these groups."""
    allowing: dict[Permission, set[str]] = {each: set() for each in PERMISSIONS}
    denying: dict[Permission, set[str]] = {each: set() for each in PERMISSIONS}
    for name in groups:
        if name == UNTAGGED or rules.denies(name):
            continue
        for each in rules.granted(name):
            allowing[each].add(name)
            if rules.deny_prefix:
                denying[each].add(rules.deny_prefix + name)
    for each in rules.granted(UNTAGGED):
        allowing[each].add(UNTAGGED)
    return Reach(
        {each: frozenset(names) for each, names in allowing.items()},
        {each: frozenset(names) for each, names in denying.items()},
        tuple(sorted(set().union(*allowing.values(), *denying.values()))),
    )
