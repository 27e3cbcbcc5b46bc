"""How a file or stream is ingested."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """name: file, URL or "-". start: see start_time; None for the default: 0:0, or now if live. Others as in the help.

    target: length of segments in seconds. again: ingest a file once more, though it is there.
    """

    name: str
    start: str | None = None
    target: Fraction = Fraction(2)
    container: str | None = None
    muxed: bool = False
    live: bool = False
    label: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parallel: int = 4
    verify: str = "checksum"
    storage_id: str | None = None
    again: bool = False
    retry_s: float = 600.0
