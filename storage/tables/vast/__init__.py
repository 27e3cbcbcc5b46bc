"""The engine for VAST Database, built on the `vastdb` SDK (docs/vast.md).

- Connection: address.py parses the URL; cluster.py sends requests, and query.py the queries among them;
  cluster_errors.py maps errors; sdk_internals.py holds every use of the SDK's private members.
- Data: layout.py defines the tables as they are on a cluster; predicates.py translates conditions.
- Reading: read_planner.py plans reads that concern several tables; ordered_rows.py finds the first rows of a
  row_query.py, with time windows from time_windows.py sized by density.py; reader.py runs the queries, in a transaction
  or without one.
- Writing: writer.py is the write transaction; write_buffer.py holds what it has read and not yet sent, and flush.py
  sends it; locks.py serialises writers; presence_flag.py answers frequent yes/no questions; commit_outcome.py finds out
  whether a commit without a response took effect.
- engine.py puts these together; upgrade.py migrates older tables; probe.py and projections.py are for operators.
"""

from storage.tables.vast.engine import VastEngine

__all__ = ["VastEngine"]
