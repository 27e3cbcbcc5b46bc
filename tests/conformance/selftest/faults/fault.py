"""What a fault is."""

from dataclasses import dataclass

from tests.conformance.selftest.delivery_faults import OnTheWay, straight_on
from tests.conformance.selftest.exchange import Request, Response
from tests.conformance.selftest.mutations import After, Before


def _request_as_it_is(request: Request) -> Request:
    return request


def _answer_as_it_is(_: Request, response: Response) -> Response:
    return response


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a server does wrong, and where the kit has to find it.

    behaviours: each must be named by a test that fails. tests: of the kit, "file::function" with or without parameters.
    before: what becomes of a request on its way to the server. after: of the answer, given the request as it came.
    on_the_way: of an event on its way from the server.
    """

    name: str
    behaviours: frozenset[str]
    tests: tuple[str, ...]
    before: Before
    after: After
    on_the_way: OnTheWay


def fault(
    name: str,
    behaviours: str,
    *tests: str,
    before: Before = _request_as_it_is,
    after: After = _answer_as_it_is,
    on_the_way: OnTheWay = straight_on,
) -> Fault:
    """behaviours: their ids, separated by spaces."""
    return Fault(name, frozenset(behaviours.split()), tests, before, after, on_the_way)
