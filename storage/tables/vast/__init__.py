"""The engine over VAST Database, by the `vastdb` SDK (docs/vast.md).

address.py reads the URL; cluster.py makes requests (questions by asking.py), and trouble.py tells outages from lost
races; layout.py is the tables' form there; predicates.py says conditions in the SDK's words; finding.py plans reads,
with windows of time from windows.py and timelines.py; reading.py reads, with a transaction or without; transaction.py
writes: memory.py is what it knows already, sending.py sends what it changed, locks.py keeps writers apart, notice.py
tells whether anybody listens, outcome.py finds out what became of a commit. engine.py puts them together; upgrade.py
takes older tables over; probe.py and projections.py are for those who run a cluster.
"""

from storage.tables.vast.engine import VastEngine

__all__ = ["VastEngine"]
