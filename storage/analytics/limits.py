"""What one query may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """memory: bytes. timeout_s: seconds for everything, reading the tables included. rows: of a result. threads: of
    DuckDB, at most as many as leave a core to requests.
    """

    memory: int
    timeout_s: float
    rows: int
    threads: int = 1
