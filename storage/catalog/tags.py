"""Tags: their rows, which mirror the tags in documents, and the filters on them (TAGQ-01 to TAGQ-12)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from storage.tables.conditions import Condition, Exists, In, equals
from storage.tables.engine import Engine
from storage.tables.limits import TAG_NAME, TAG_VALUE, check_text, clip
from storage.tables.rows import TagOwner, TagRow
from storage.tables.transaction import Writer

Tags = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Filters on tags; all of them must pass.

    values: by tag name, values of which the tag must have at least one.
    exists: by tag name, whether the tag must be present (True) or absent (False).
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exists: Mapping[str, bool] = field(default_factory=dict)

    def conditions(self, kind: str, outer: str = "id") -> tuple[Condition, ...]:
        """The filter as conditions on a table whose column `outer` holds ids of resources of this kind ("flow")."""
        valued = [
            Exists("tags", "owner_id", outer, (*equals(kind=kind, name=name, empty=False), In("value", values)))
            for name, values in self.values.items()
        ]
        present = [
            Exists("tags", "owner_id", outer, equals(kind=kind, name=name), present)
            for name, present in self.exists.items()
        ]
        return (*valued, *present)

    @property
    def is_empty(self) -> bool:
        """Whether everything passes."""
        return not self.values and not self.exists

    def matches(self, tags: Tags) -> bool:
        """Whether these tags pass the filter."""
        for name, values in self.values.items():
            if name not in tags or set(_as_list(tags[name])).isdisjoint(values):
                return False
        return all((name in tags) == required for name, required in self.exists.items())


def check_tags(tags: Tags, where: str = "") -> None:
    """Reject tags that are too long to be stored. where: path to the member `tags`. Raises: Invalid."""
    for name, value in tags.items():
        check_tag(name, value, where)


def check_tag(name: str, value: str | Sequence[str], where: str = "") -> None:
    """Reject a tag whose name or value is too long. Raises: Invalid."""
    field = f"{where}tags.{clip(name, 100)}"
    check_text(name, TAG_NAME, field, f"the name of {field}")
    for number, text in enumerate(_as_list(value)):
        if len(text) * 4 <= TAG_VALUE:  # the longest characters have four bytes
            continue
        check_text(text, TAG_VALUE, field if isinstance(value, str) else f"{field}.{number}")


def _as_list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def check_room(engine: Engine, before: Tags, after: Tags) -> None:
    """Check that there is space for more values, if a change brings any: space is reserved for deletions.

    The rows of tags cannot be checked when they are inserted, as deletions insert some, too.
    Raises: Unavailable if the catalogue is full.
    """
    if sum(1 for _ in single_values(after)) > sum(1 for _ in single_values(before)):
        engine.check_space()


def replace_rows(tx: Writer, kind: TagOwner, owner_id: str, created: int, tags: Tags) -> None:
    """Replace the rows that mirror the tags of this resource. created: as in its own row."""
    tx.delete("tags", equals(kind=kind, owner_id=owner_id))
    tx.insert("tags", rows_of(kind, owner_id, created, tags))


def rows_of(kind: TagOwner, owner_id: str, created: int, tags: Tags) -> list[TagRow]:
    """The rows that mirror the tags of this resource. created: as in its own row."""
    rows: list[TagRow] = []
    for name, value in tags.items():
        empty = not _as_list(value)
        for text in dict.fromkeys(_as_list(value)) or [""]:
            row: TagRow = {"kind": kind, "owner_id": owner_id, "name": name, "value": text, "empty": empty}
            rows.append({**row, "created": created})
    return rows


def single_values(tags: Tags) -> Iterator[tuple[str, str, bool]]:
    """Yield the name of each tag with each of its values; with "" and True if it has none."""
    for name, value in tags.items():
        texts = _as_list(value)
        for text in dict.fromkeys(texts) or [""]:
            yield name, text, not texts
