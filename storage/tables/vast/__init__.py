"""The engine over VAST Database, by the `vastdb` SDK (docs/vast.md).

address.py reads the URL; cluster.py makes requests and tells outages from lost races; layout.py is the tables' form
there; predicates.py says conditions in the SDK's words; finding.py plans reads; memory.py is what a transaction knows
already; transaction.py reads and writes; locks.py keeps writers apart; engine.py puts them together; upkeep.py has the
projections and the probe of a cluster.
"""

from storage.tables.vast.engine import VastEngine
from storage.tables.vast.upkeep import (
    Finding,
    ProjectionState,
    allow_several_writers,
    disable_projections,
    enable_projections,
    probe,
    projection_states,
)

__all__ = [
    "Finding",
    "ProjectionState",
    "VastEngine",
    "allow_several_writers",
    "disable_projections",
    "enable_projections",
    "probe",
    "projection_states",
]
