"""Carries out the retention rules of flows, as ordinary deletions with their events (F18; TMO-07, TMO-08).

Nothing is planned ahead: a pass looks at every flow that has one of the tags, and each deletion asks the rule again
under the lock of its flow. A changed tag therefore counts at once, and an interrupted pass loses nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flow_rows
from storage.catalog.flows.content_range import content_span_after_deletion, recorded_content_span
from storage.catalog.retention.candidates import (
    Pass,
    RetentionTimes,
    due_segments,
    first_due,
    flows_to_look_at,
    is_flow_due,
    rule_of,
)
from storage.catalog.retry import retried
from storage.catalog.segments import segment_rows
from storage.catalog.segments.deletions import Deletions
from storage.errors import Forbidden, NotFound
from storage.tables.rows import FlowRow
from storage.tables.transaction import Reader
from storage.timerange import TimeRange

CALLER = Caller("retention", frozenset({"admin"}))
"""Who deletes, as flow delete requests show it."""
_COUNTED_SEGMENTS = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of a flow. whole_flow: the flow with all of its segments; else those in `timerange`.

    segments: how many there are, up to 10,000. ignored: why tags of the flow are not followed; then nothing may be due.
    """

    flow_id: str
    whole_flow: bool = False
    timerange: str | None = None
    segments: int = 0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of a step. next: the place of the next one; None at the end of the pass. is_behind: whether more is
    due of these flows."""

    next: Pass | None
    segments: int = 0
    flows: int = 0
    is_behind: bool = False


class _NotDue(Exception):
    """The flow has changed meanwhile, and is not due any more."""


class Retention:
    def __init__(self, env: Environment, deletions: Deletions) -> None:
        self._env = env
        self._deletions = deletions

    def one_pass(self, time: Callable[[], int | None]) -> Iterator[Step]:
        """Look at every flow with a retention tag once, and delete what is due, as `step` does. Yield each step.

        time: asked before each step for the time by which things are due; None ends the pass. Raises what `step` and
        `time` raise.
        """
        place: Pass | None = Pass()
        while place is not None and (now := time()) is not None:
            step = self.step(place, now)
            yield step
            place = step.next

    def step(self, place: Pass, now: int | None = None) -> Step:
        """Look at a page of flows, and delete what is due: of each flow at most a batch of segments.

        now: the time by which it is due, in microseconds since 1970; that of the clock by default.
        Raises storage.errors.Unavailable. Deletions that fail for their flow alone are left to the next pass.
        """
        times = self._times(now)
        with self._env.engine.read_once() as tx:
            rows, next_place = flows_to_look_at(tx, place, times)
            due = [(row["id"], is_flow_due(tx, row, times)) for row in rows if _has_due(tx, row, times)]
        step = Step(next_place)
        for flow_id, whole in due:
            if whole:
                step = replace(step, flows=step.flows + self._delete_flow(flow_id, times))
                continue
            deleted = self._delete_segments(flow_id, times)
            more = deleted == self._env.limits.deletion_batch
            step = replace(step, segments=step.segments + deleted, is_behind=step.is_behind or more)
        return step

    def due(self, within_s: int = 0) -> Iterator[Due]:
        """Yield what is due of each flow, or will be within so many seconds if nothing changes; deletes nothing.

        Also yields flows with tags that are not understood.
        """
        times = self._times(None, within_s)
        place: Pass | None = Pass()
        seen: set[str] = set()
        while place is not None:
            with self._env.engine.read_once() as tx:
                rows, place = flows_to_look_at(tx, place, times)
                found = [_due(tx, row, times) for row in rows if row["id"] not in seen]
            seen.update(row["id"] for row in rows)
            yield from (each for each in found if each is not None)

    def _times(self, now: int | None, within_s: int = 0) -> RetentionTimes:
        now = self._env.clock() if now is None else now
        return RetentionTimes(now + within_s * SECOND, self._env.limits.empty_flow_retention_s)

    @retried
    def _delete_segments(self, flow_id: str, times: RetentionTimes) -> int:
        """Delete a batch of the segments of a flow that are due. Returns how many."""
        try:
            with write_with_events(self._env) as (tx, journal):
                flow = flow_rows.lock_writable(tx, CALLER, flow_id)
                due = due_segments(tx, flow, times)
                if due is None:
                    return 0
                rows = first_due(tx, flow_id, due, self._env.limits.deletion_batch, segment_rows.DELETION_COLUMNS)
                first_start, last_end = rows[0]["start_ns"], rows[-1]["end_ns"]
                content = recorded_content_span(flow)
                if content is not None:
                    content = content_span_after_deletion(content, (content[0], last_end), first_start, last_end)
                subject = journal.flow_subject(flow_id, flow["source_id"])
                segment_rows.delete(tx, self._env, journal, subject, flow, rows, content)
                return len(rows)
        except (NotFound, Forbidden):
            return 0

    def _delete_flow(self, flow_id: str, times: RetentionTimes) -> bool:
        """Delete a flow that is due: at once, or by a flow delete request if its segments are many."""

        def check(tx: Reader, flow: FlowRow) -> None:
            if not is_flow_due(tx, flow, times):
                raise _NotDue

        try:
            self._deletions.delete_flow(CALLER, flow_id, check=check, for_good=True)
        except (_NotDue, NotFound, Forbidden):
            return False
        return True


def _has_due(tx: Reader, row: FlowRow, times: RetentionTimes) -> bool:
    return is_flow_due(tx, row, times) or due_segments(tx, row, times) is not None


def _due(tx: Reader, row: FlowRow, times: RetentionTimes) -> Due | None:
    ignored = tuple(rule_of(row).ignored.values())
    if is_flow_due(tx, row, times):
        count = len(first_due(tx, row["id"], TimeRange(None, None), _COUNTED_SEGMENTS, ("start_ns",)))
        return Due(row["id"], whole_flow=True, segments=count, ignored=ignored)
    due = due_segments(tx, row, times)
    if due is not None:
        segments = first_due(tx, row["id"], due, _COUNTED_SEGMENTS, ("start_ns", "end_ns"))
        timerange = str(TimeRange(segments[0]["start_ns"], segments[-1]["end_ns"]))
        return Due(row["id"], timerange=timerange, segments=len(segments), ignored=ignored)
    return Due(row["id"], ignored=ignored) if ignored else None
