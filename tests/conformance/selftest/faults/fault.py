"""The definition of a fault."""

from dataclasses import dataclass

from tests.conformance.selftest.delivery_faults import DeliveryFault, deliver_unchanged
from tests.conformance.selftest.exchange import Request, Response
from tests.conformance.selftest.mutations import After, Before


def _same_request(request: Request) -> Request:
    return request


def _same_response(_: Request, response: Response) -> Response:
    return response


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a server, and the tests that must detect it.

    behaviours: each must be named by a failing test. tests: of the kit, "file::function" with or without parameters.
    before: changes a request before the server sees it. after: changes the response, given the original request.
    delivering: changes the delivery of an event.
    """

    name: str
    behaviours: frozenset[str]
    tests: tuple[str, ...]
    before: Before
    after: After
    delivering: DeliveryFault


def fault(
    name: str,
    behaviours: str,
    *tests: str,
    before: Before = _same_request,
    after: After = _same_response,
    delivering: DeliveryFault = deliver_unchanged,
) -> Fault:
    """Define a fault. behaviours: their ids, separated by spaces."""
    return Fault(name, frozenset(behaviours.split()), tests, before, after, delivering)
