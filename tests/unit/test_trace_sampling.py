"""F11: which requests are traced."""

import random
from collections.abc import Iterator

import pytest
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from tams_server.tracing.sampling import sampler

TRACE = "00000000000000000000000000000001"
"""So low an id is in every share of a sampler that goes by ids."""
SAMPLED, NOT_SAMPLED = (f"00-{TRACE}-00f067aa0ba902b7-{flags}" for flags in ("01", "00"))


def _tracer(share: float, *, trusts_clients: bool) -> Tracer:
    return TracerProvider(sampler(share, trusts_clients=trusts_clients), shutdown_on_exit=False).get_tracer("test")


def _recorded(tracer: Tracer, traceparent: str | None) -> Iterator[bool]:
    """Whether the span of a request and one below it are recorded."""
    context = extract({} if traceparent is None else {"traceparent": traceparent})
    with tracer.start_as_current_span("request", context) as span:
        if traceparent is not None:
            assert f"{span.get_span_context().trace_id:032x}" == TRACE
        yield span.is_recording()
        with tracer.start_as_current_span("part") as part:
            yield part.is_recording()


@pytest.mark.parametrize("traceparent", [None, SAMPLED, NOT_SAMPLED])
@pytest.mark.parametrize("share", [0, 1])
def test_the_share_decides_whatever_a_client_says(share: float, traceparent: str | None) -> None:
    assert list(_recorded(_tracer(share, trusts_clients=False), traceparent)) == [bool(share)] * 2


@pytest.mark.parametrize(("share", "traceparent", "recorded"), [(0, SAMPLED, True), (1, NOT_SAMPLED, False)])
def test_a_trusted_client_decides(share: float, traceparent: str, recorded: bool) -> None:
    assert list(_recorded(_tracer(share, trusts_clients=True), traceparent)) == [recorded] * 2


def test_a_client_cannot_choose_an_id_that_is_always_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", random.Random(5).random)
    tracer = _tracer(0.2, trusts_clients=False)
    recorded = [list(_recorded(tracer, SAMPLED)) for _ in range(500)]
    assert 60 < recorded.count([True, True]) < 140
    assert recorded.count([False, False]) == 500 - recorded.count([True, True])
