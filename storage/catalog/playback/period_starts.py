"""Where the periods of dynamic manifests begin, on which all processes agree (ISO/IEC 23009-1, 5.4.1).

A period that others precede begins with its first segment. That leaves the window before the rest of the period does,
and the period must not move then. So its beginning is recorded while the segment is listed.
"""

import logging
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from storage.catalog.live_anchors import PeriodStart, anchor_key, read_period_starts, store_period_starts
from storage.catalog.retry import retried
from storage.errors import Conflict, Unavailable
from storage.playback.periods import Period
from storage.tables.engine import Engine

_log = logging.getLogger(__name__)

MOST_PERIODS: Final = 1000
"""In a manifest, and as many are recorded of a flow that leads."""


def programme_name(flow_ids: Sequence[str]) -> str:
    """A name for flows that are played together, since their periods depend on all of them."""
    return sha256(" ".join(sorted(flow_ids)).encode()).hexdigest()[:16]


def first_period_start(
    engine: Engine, leader_id: str, programme: str, known: Sequence[PeriodStart], periods: Sequence[Period]
) -> int | None:
    """Where the first period of a live window begins, in ns; None if no break before it is recorded.

    Records where the others begin, by a write when one of them is new. If that fails, the next request tries again.

    known: what is recorded of the flow that leads.
    """
    times = {each.time for each in known if each.programme == programme}
    new = [PeriodStart(each.start, programme) for each in periods[1:] if each.start not in times]
    if new:
        try:
            _record(engine, leader_id, new)
        except (Unavailable, Conflict) as error:
            _log.warning("the periods of flow %s played live cannot be recorded now: %s", leader_id, error)
    return max((time for time in times if time <= periods[0].start), default=None)


@retried
def _record(engine: Engine, leader_id: str, new: Sequence[PeriodStart]) -> None:
    with engine.write() as tx:
        tx.lock(anchor_key(leader_id))
        stored = read_period_starts(tx, leader_id)
        starts = sorted({*stored, *new}, key=lambda each: (each.time, each.programme))[-MOST_PERIODS:]
        if starts != stored:
            store_period_starts(tx, leader_id, starts)
