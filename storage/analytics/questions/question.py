"""What a question is, and the expressions that several of them share."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number from 1. about: what it means, with its unit."""

    default: int
    about: str


@dataclass(frozen=True, slots=True)
class Question:
    """sql: one SELECT over the views (storage.analytics.views)."""

    name: str
    about: str
    sql: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


SIZES = """
    CAST(coalesce(sum(CAST(p.bytes AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS bytes,
    count(*) - count(p.bytes) AS objects_without_size
"""
DURATION = "CAST(coalesce(sum(CAST(s.duration_ns AS DECIMAL(38, 0))), 0) AS DECIMAL(38, 0)) AS duration_ns"
HOURS = "round(CAST(coalesce(h.duration_ns, 0) AS DOUBLE) / 3600000000000.0, 3) AS hours"
