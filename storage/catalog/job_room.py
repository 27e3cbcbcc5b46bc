"""Claim as many waiting jobs as a worker has room for.

Deliveries to failing webhooks have places of their own, so that they never displace deliveries to working ones.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storage.catalog.job_kinds import DELIVERY, KINDS
from storage.catalog.jobs import Claim, Jobs, JobSelection, WaitingJob
from storage.tables.conditions import Compare, Condition, In, equals

_MAX_CLAIMS = 50

_Category = Literal["delivery", "failing delivery", "other"]
_WHERE: dict[_Category, tuple[Condition, ...]] = {
    "delivery": equals(kind=DELIVERY, attempts=0),
    "failing delivery": (*equals(kind=DELIVERY), Compare("attempts", ">", 0)),
    "other": (In("kind", tuple(kind for kind in KINDS if kind != DELIVERY)),),
}


@dataclass(frozen=True, slots=True)
class Room:
    """How many more jobs a worker can hold.

    deliveries: to webhooks, failing or not. failing_deliveries: how many of these may be to webhooks whose last
    delivery failed. others: jobs of all other kinds. held: the tokens of the jobs that the worker holds.
    """

    deliveries: int
    failing_deliveries: int
    others: int
    held: frozenset[str] = frozenset()


def claim_into(room: Room, jobs: Jobs, worker: str, waiting: Sequence[WaitingJob]) -> list[Claim]:
    """Claim jobs for `worker`, at most 50 at a time.

    Only the number of jobs of each category in `waiting` counts: where another worker claims the same jobs first, the
    next ones of that category are claimed instead.
    """
    counts = _count_fitting(room, waiting)
    selections = [JobSelection(_WHERE[category], count) for category, count in counts.items()]
    return jobs.claim(worker, selections, room.held) if selections else []


def _count_fitting(room: Room, waiting: Sequence[WaitingJob]) -> Counter[_Category]:
    """Count the waiting jobs that fit into `room`, by category."""
    deliveries, failing_deliveries, others = room.deliveries, room.failing_deliveries, room.others
    counts: Counter[_Category] = Counter()
    for job in waiting:
        category = _category(job)
        if category == "other":
            fits = others > 0
            others -= fits
        else:
            fits = deliveries > 0 and (category == "delivery" or failing_deliveries > 0)
            deliveries -= fits
            failing_deliveries -= fits and category == "failing delivery"
        counts[category] += fits
        if counts.total() == _MAX_CLAIMS:
            break
    return +counts


def _category(job: WaitingJob) -> _Category:
    if job.kind != DELIVERY:
        return "other"
    return "failing delivery" if job.attempts else "delivery"
