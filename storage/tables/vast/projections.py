"""The projections of unsorted tables, which the cluster keeps sorted by what their indexes are elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from storage.tables.vast.cluster_errors import translated
from storage.tables.vast.engine import VastEngine
from storage.tables.vast.layout import FORMS, Form


@dataclass(frozen=True, slots=True)
class ProjectionState:
    """A projection that the engine would have: of a table, sorted by columns; and whether it is there."""

    table: str
    name: str
    sorted_by: tuple[str, ...]
    enabled: bool


def _wanted() -> Iterator[tuple[Form, str, tuple[str, ...]]]:
    """One for each index of an unsorted table; whether a sorted one may have projections is not documented."""
    for form in FORMS.values():
        for columns in form.table.indexes if not form.sort else ():
            yield form, f"{form.name}_by_{'_'.join(columns)}", columns


def projection_states(engine: VastEngine) -> list[ProjectionState]:
    """What projections there are, and could be."""
    with engine.cluster.defining() as schema:
        return _states(schema)


def _states(schema: Any) -> list[ProjectionState]:
    states = []
    known: dict[str, set[str]] = {}
    for form, name, columns in _wanted():
        if form.name not in known:
            table = schema.table(form.name)
            known[form.name] = {projection.name for projection in table.projections(include_stats=False)}
        states.append(ProjectionState(form.name, name, columns, name in known[form.name]))
    return states


def enable_projections(engine: VastEngine) -> list[ProjectionState]:
    """Make those that are not there; the state afterwards. The cluster fills and keeps them by itself."""
    with engine.cluster.defining() as schema:
        for state in _states(schema):
            if not state.enabled:
                rest = [name for name in FORMS[state.table].columns if name not in state.sorted_by]
                with translated():
                    schema.table(state.table).create_projection(state.name, list(state.sorted_by), rest)
    return projection_states(engine)


def disable_projections(engine: VastEngine) -> list[ProjectionState]:
    """Drop those that are there; the state afterwards."""
    with engine.cluster.defining() as schema:
        for state in _states(schema):
            if state.enabled:
                schema.table(state.table).projection(state.name).drop()
    return projection_states(engine)
