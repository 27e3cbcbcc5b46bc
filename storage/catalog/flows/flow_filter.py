"""The filters of a listing of flows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from storage.catalog import sources
from storage.catalog.tags import TagFilter
from storage.tables.conditions import Condition, Exists, Overlaps, equals
from storage.tables.limits import label_columns
from storage.timerange import ETERNITY, TimeRange

KIND: Final = "flow"


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """The filters of a listing of flows; a flow must pass them all.

    columns: exact values by column name.
    collected_by_ids: ids of collecting flows; an empty list selects flows in no collection, None does not filter.
    timerange: selects flows with content in it; EMPTY selects flows without any content.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    collected_by_ids: Sequence[str] | None = None
    timerange: TimeRange = ETERNITY
    tags: TagFilter = field(default_factory=TagFilter)

    def conditions(self, kind: str = KIND) -> list[Condition]:
        """The conditions on the table of flows. kind: of the owners of their tags."""
        columns = dict(self.columns)
        if "label" in columns:
            columns |= label_columns(columns["label"])
        where: list[Condition] = [*self.tags.conditions(kind), *equals(**columns)]
        if self.collected_by_ids is not None:
            where.append(sources.collected_by("collections", self.collected_by_ids))
        if self.timerange.is_empty:
            where.append(Exists("segments", "flow_id", "id", present=False))
        elif self.timerange != ETERNITY:
            where.append(Exists("segments", "flow_id", "id", (Overlaps(*self.timerange.bounds),)))
        return where
