"""Projections of unsorted tables: sorted copies that the cluster maintains, where other engines have indexes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from storage.tables.vast.cluster import Cluster
from storage.tables.vast.cluster_errors import translate_errors
from storage.tables.vast.layout import LAYOUTS, TableLayout


@dataclass(frozen=True, slots=True)
class ProjectionState:
    """A projection that the engine can use, and whether it exists. sorted_by: its columns, the first one first."""

    table: str
    name: str
    sorted_by: tuple[str, ...]
    enabled: bool


def _definitions() -> Iterator[tuple[TableLayout, str, tuple[str, ...]]]:
    """One for each index of an unsorted table. Whether sorted tables may have projections is not documented."""
    for layout in LAYOUTS.values():
        for columns in layout.table.indexes if not layout.sorting_key else ():
            yield layout, f"{layout.name}_by_{'_'.join(columns)}", columns


def projection_states(cluster: Cluster) -> list[ProjectionState]:
    """All projections that the engine can use, existing or not."""
    with cluster.schema_transaction() as schema:
        return _states(schema)


def _states(schema: Any) -> list[ProjectionState]:
    states = []
    existing: dict[str, set[str]] = {}
    for layout, name, columns in _definitions():
        if layout.name not in existing:
            table = schema.table(layout.name)
            existing[layout.name] = {projection.name for projection in table.projections(include_stats=False)}
        states.append(ProjectionState(layout.name, name, columns, name in existing[layout.name]))
    return states


def enable_projections(cluster: Cluster) -> list[ProjectionState]:
    """Create the projections that are missing and return the new state. The cluster fills and maintains them itself."""
    with cluster.schema_transaction() as schema:
        for state in _states(schema):
            if not state.enabled:
                rest = [name for name in LAYOUTS[state.table].columns if name not in state.sorted_by]
                with translate_errors():
                    schema.table(state.table).create_projection(state.name, list(state.sorted_by), rest)
    return projection_states(cluster)


def disable_projections(cluster: Cluster) -> list[ProjectionState]:
    """Drop the projections that exist and return the new state."""
    with cluster.schema_transaction() as schema:
        for state in _states(schema):
            if state.enabled:
                schema.table(state.table).projection(state.name).drop()
    return projection_states(cluster)
