"""F23: requests that break the schemas are counted in memory, in a bounded number of counts."""

from storage.catalog.violations import Counts, Seen, Violation, others
from storage.errors import Unavailable
from tams_server.http.violation_log import KINDS, ViolationLog

NOW = 20_000 * 86_400 * 1_000_000


class Catalogue:
    """Takes counts, unless it is down."""

    def __init__(self) -> None:
        self.added: list[Counts] = []
        self.is_down = False

    def add(self, counts: Counts) -> None:
        if self.is_down:
            raise Unavailable("the catalogue cannot be reached")
        self.added.append(counts)


def test_requests_are_counted_until_they_are_flushed() -> None:
    catalogue, times = Catalogue(), iter((NOW, NOW + 5, NOW + 7))
    log = ViolationLog(catalogue.add, lambda: next(times))
    for _ in range(2):
        log.record("rejected", "GET_flows", "#/x", "ann")
    log.record("accepted", "PUT_flows-flowId", "#/y", "ann")
    log.flush()
    log.flush()
    log.stop()
    assert catalogue.added == [
        {
            (20_000, Violation("rejected", "GET_flows", "#/x", "ann")): Seen(2, NOW, NOW + 5),
            (20_000, Violation("accepted", "PUT_flows-flowId", "#/y", "ann")): Seen(1, NOW + 7, NOW + 7),
        }
    ]


def test_counts_are_kept_while_the_catalogue_cannot_be_written() -> None:
    catalogue = Catalogue()
    log = ViolationLog(catalogue.add, lambda: NOW)
    catalogue.is_down = True
    log.record("rejected", "GET_flows", "#/x", "ann")
    log.flush()
    log.record("rejected", "GET_flows", "#/x", "ann")
    catalogue.is_down = False
    log.stop()
    assert [seen.requests for counts in catalogue.added for seen in counts.values()] == [2]


def test_a_flood_of_different_violations_is_counted_together() -> None:
    catalogue = Catalogue()
    log = ViolationLog(catalogue.add, lambda: NOW)
    for number in range(KINDS + 500):
        log.record("rejected", "GET_flows", f"#/{number}", "mallory")
    log.stop()
    [counts] = catalogue.added
    assert len(counts) == KINDS + 1
    assert counts[20_000, others("rejected")].requests == 500


def test_a_process_without_violations_has_no_thread() -> None:
    log = ViolationLog(Catalogue().add, lambda: NOW)
    assert log._thread is None
    log.stop()
    log.record("rejected", "GET_flows", "#/x", "ann")
    assert log._thread is None
