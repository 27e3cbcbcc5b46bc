"""A change of the classes of one resource, and the seam to what makes it spread to others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from storage.catalog.access.class_rows import classes_of
from storage.catalog.access_rules import UNTAGGED
from storage.catalog.caller import Caller
from storage.catalog.event_journal import EventJournal
from storage.catalog.tags import Tags
from storage.tables.auth_classes import TAG
from storage.tables.rows import TagOwner
from storage.tables.transaction import Writer


@dataclass(frozen=True, slots=True)
class ClassChange:
    """The classes that a resource has gained and lost. untags: whether it has lost the tag with them."""

    kind: TagOwner
    id: str
    added: frozenset[str]
    removed: frozenset[str]
    untags: bool = False

    @classmethod
    def of(cls, kind: TagOwner, id_: str, before: Tags, after: Tags) -> "ClassChange":
        """The change from one set of tags to another."""
        if before.get(TAG) == after.get(TAG):
            return cls(kind, id_, frozenset(), frozenset())
        old, new = set(classes_of(before)) - {UNTAGGED}, set(classes_of(after)) - {UNTAGGED}
        return cls(kind, id_, frozenset(new - old), frozenset(old - new), untags=TAG not in after)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def applied_to(self, tags: Tags) -> Tags:
        """The tags of another resource after the same change.

        One without the tag does not get it by a loss of classes that it never had, since an empty tag closes what may
        have been open. One that is left without classes loses the tag if the first one has.
        """
        if TAG not in tags and not self.added:
            return tags
        left = sorted((set(classes_of(tags)) - {UNTAGGED} - self.removed) | self.added)
        others = {name: value for name, value in tags.items() if name != TAG}
        return others if self.untags and not left else {**others, TAG: left}


class Spreading(Protocol):
    """Makes changes of classes spread down collections, where the rules say so."""

    def locks(self, kind: TagOwner, id_: str, tag: Any, members: Sequence[Mapping[str, Any]] = ()) -> Sequence[str]:
        """The names that the transaction locks beside that of a resource which is to get `tag` as its `auth_classes`.

        To be called before the transaction, since it locks all of them in one step. tag: None for no tag.
        members: what the resource is to collect, as in flow_collection, beside what it collects now.
        Raises: Invalid if the change may reach too many resources.
        """
        ...

    def spread(
        self, tx: Writer, journal: EventJournal, caller: Caller, change: ClassChange, locked: Sequence[str]
    ) -> None:
        """Make a change spread, if the rules say so. locked: what `locks` returned.

        Raises: Contended if it reaches a resource that is not locked, because collections have changed meanwhile.
        """
        ...


class _NoSpreading:
    """Leaves every change where it was made."""

    def locks(self, kind: TagOwner, id_: str, tag: Any, members: Sequence[Mapping[str, Any]] = ()) -> Sequence[str]:
        return ()

    def spread(
        self, tx: Writer, journal: EventJournal, caller: Caller, change: ClassChange, locked: Sequence[str]
    ) -> None:
        """Do nothing."""


NO_SPREADING: Spreading = _NoSpreading()
