"""All faults, each with the behaviours that it breaks and the tests that must detect it."""

from tests.conformance.selftest.faults.fault import Fault
from tests.conformance.selftest.faults.flows import OF_FLOWS
from tests.conformance.selftest.faults.others import OF_OTHERS
from tests.conformance.selftest.faults.pages import OF_PAGES
from tests.conformance.selftest.faults.segments import OF_SEGMENTS
from tests.conformance.selftest.faults.timeranges import OF_TIMERANGES
from tests.conformance.selftest.faults.webhooks import OF_EVENTS, OF_WEBHOOKS

__all__ = ["FAULTS", "Fault"]

FAULTS = (*OF_PAGES, *OF_TIMERANGES, *OF_SEGMENTS, *OF_FLOWS, *OF_OTHERS, *OF_WEBHOOKS, *OF_EVENTS)
