"""Tags: their rows beside the documents that carry them, and the filters on them (TAGQ-01 to TAGQ-12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.tables.conditions import Condition, Exists, In, equals
from storage.tables.engine import Writer

Tags = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """values: by tag name, the values of which one must be carried. exists: by tag name, whether it must be there.
    All must hold."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exists: Mapping[str, bool] = field(default_factory=dict)

    def conditions(self, kind: str, outer: str = "id") -> tuple[Condition, ...]:
        """The filter on the tags of the things of this kind whose id is in the column `outer`."""
        valued = [
            Exists("tags", "owner_id", outer, (*equals(kind=kind, name=name, empty=False), In("value", values)))
            for name, values in self.values.items()
        ]
        present = [
            Exists("tags", "owner_id", outer, equals(kind=kind, name=name), present)
            for name, present in self.exists.items()
        ]
        return (*valued, *present)

    def matches(self, tags: Tags) -> bool:
        """The same filter on tags at hand."""
        for name, values in self.values.items():
            if name not in tags or set(_listed(tags[name])).isdisjoint(values):
                return False
        return all((name in tags) == wanted for name, wanted in self.exists.items())


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def replace_rows(tx: Writer, kind: str, owner_id: str, tags: Tags) -> None:
    """Make `tags` all the tags that filters find for this owner."""
    tx.delete("tags", equals(kind=kind, owner_id=owner_id))
    rows = []
    for name, value in tags.items():
        row = {"kind": kind, "owner_id": owner_id, "name": name}
        values = dict.fromkeys(_listed(value))
        rows += [{**row, "value": text, "empty": False} for text in values] or [{**row, "value": "", "empty": True}]
    tx.insert("tags", rows)
