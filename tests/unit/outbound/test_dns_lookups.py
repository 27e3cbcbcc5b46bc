"""Lookups of names: shared, limited in number and time, and repeatable."""

import time

import pytest

from tams_server.outbound.dns_lookups import DnsLookupFailed, DnsLookups
from tests.unit.outbound.hanging_resolver import hanging


def test_lookups_of_one_name_share_a_thread_and_threads_are_limited() -> None:
    with hanging() as (resolve, asked):
        lookups = DnsLookups(resolve, max_lookups=2)
        for name in ("a.example", "a.example", "b.example"):
            with pytest.raises(DnsLookupFailed, match="within"):
                lookups.addresses(name, 0.01)
        with pytest.raises(DnsLookupFailed, match="too many"):
            lookups.addresses("c.example", 0.01)
        deadline = time.monotonic() + 10
        while len(asked) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sorted(asked) == ["a.example", "b.example"]


def test_lookup_can_be_repeated_after_a_failure() -> None:
    found: list[list[str]] = [[], ["93.184.215.14"]]
    lookups = DnsLookups(lambda _: found.pop(0))
    with pytest.raises(DnsLookupFailed):
        lookups.addresses("a.example", 5)
    assert lookups.addresses("a.example", 5) == ["93.184.215.14"]
