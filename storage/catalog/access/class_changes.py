"""Changes of the classes of a resource: nobody gives or takes a permission that it lacks (AUTHZ-10).

Every way to change them leads here: a tag, a whole document with other tags or none, a new resource.
"""

from collections.abc import Iterable

from storage import error_codes
from storage.catalog.access.class_rows import classes_of
from storage.catalog.access_rules import Permission
from storage.catalog.caller import Caller
from storage.catalog.tags import Tags
from storage.errors import Forbidden
from storage.tables.auth_classes import TAG
from storage.tables.rows import TagOwner


def check_class_change(caller: Caller, kind: TagOwner, id_: str, before: Tags, after: Tags) -> None:
    """Check a change of the classes of a resource on which the caller has permission to write.

    The caller must have, on the resource as it is, each permission that an added or removed class is about.

    before, after: its tags. Raises: Forbidden.
    """
    if caller.is_restricted and before.get(TAG) != after.get(TAG):
        old, new = set(classes_of(before)), set(classes_of(after))
        _check_held(caller, f"{kind} {id_}", sorted(old ^ new), caller.permissions(old))


def may_change_classes(caller: Caller, classes: Iterable[str], changed: Iterable[str]) -> bool:
    """Whether the caller may add or remove the classes `changed` where a resource has `classes`."""
    held = caller.permissions(classes)
    return "write" in held and all(caller.rules.granted(name) <= held for name in changed)


def check_new_classes(caller: Caller, kind: TagOwner, id_: str, tags: Tags) -> None:
    """Check the classes of a new resource: of each, the caller needs a group that grants what the class is about.

    Raises: Forbidden.
    """
    if caller.is_restricted and TAG in tags:
        own = (caller.rules.granted(group) for group in caller.groups if not caller.rules.denies(group))
        held: frozenset[Permission] = frozenset().union(*own)
        _check_held(caller, f"the new {kind} {id_}", classes_of(tags), held)


def with_default_classes(caller: Caller, tags: Tags) -> Tags:
    """The tags of a new resource, with the default classes of the caller if they name none and there are any."""
    if not caller.is_restricted or TAG in tags:
        return tags
    names = caller.rules.defaults_of(caller.groups)
    return {**tags, TAG: names} if names else tags


def tags_of_new(caller: Caller, kind: TagOwner, id_: str, tags: Tags) -> Tags:
    """The tags of a new flow or source: those given, with the default classes of the caller if they name none.

    Raises: Forbidden if there are no classes at all, so that nobody but an admin could find it; or if the caller may
        not give those that there are.
    """
    check_new_classes(caller, kind, id_, tags)
    tags = with_default_classes(caller, tags)
    if caller.is_restricted and TAG not in tags and not caller.rules.untagged_is_open:
        raise Forbidden(
            f"tags.{TAG} is required: a new {kind} needs classes, and this service has no default classes for you",
            code=error_codes.RIGHTS_CLASSES,
            field=f"tags.{TAG}",
            behaviour="AUTHZ-04",
        )
    return tags


def _check_held(caller: Caller, what: str, changed: Iterable[str], held: frozenset[Permission]) -> None:
    for name in changed:
        for permission in sorted(caller.rules.granted(name) - held):
            shown = f"class {name!r}" if name else "a resource without classes"
            raise Forbidden(
                f"{shown} is about {permission}, which none of your groups grants on {what}",
                code=error_codes.RIGHTS_CLASSES,
                field=f"tags.{TAG}",
                behaviour="AUTHZ-10",
            )
