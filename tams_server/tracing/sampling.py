"""Which traces are recorded: a share of them, or what trusted clients say. Imports OpenTelemetry."""

import random
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes


def sampler(share: float, *, trusts_clients: bool) -> Sampler:
    """Return what decides on each span. Below a span of this process it is as that one was decided.

    share: of the traces to record, from 0 to 1. trusts_clients: for a request with a `traceparent`, its flag decides
    (W3C Trace Context, `sampled`).
    """
    if trusts_clients:
        return ParentBased(TraceIdRatioBased(share))
    by_chance = _Chance(share)
    return ParentBased(by_chance, remote_parent_sampled=by_chance, remote_parent_not_sampled=by_chance)


class _Chance(Sampler):
    """Decides by chance, and not by the trace id, as TraceIdRatioBased does: the client may have chosen it."""

    def __init__(self, share: float) -> None:
        self._share = share

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        is_recorded = random.random() < self._share  # noqa: S311 - no secret
        decision = Decision.RECORD_AND_SAMPLE if is_recorded else Decision.DROP
        return SamplingResult(decision, attributes, get_current_span(parent_context).get_span_context().trace_state)

    def get_description(self) -> str:
        return f"Chance{{{self._share}}}"
