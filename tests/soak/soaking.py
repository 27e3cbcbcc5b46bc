"""Mixed traffic for minutes: nothing acknowledged is lost, nothing fails, and memory, files and disk stay flat."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.behaviours import respond
from tests.faults.history import distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.soak import traffic
from tests.soak.author import Author
from tests.soak.ending import finish, second_backend, subscribe
from tests.soak.failing_receiver import unreliable
from tests.soak.findings import Findings
from tests.soak.leftovers import Leftovers
from tests.soak.responses import Responses, recorded_client
from tests.soak.sampling import FOLDER, MEASURED, PROCESS_LIMITS, STORE_LIMITS, Sampler
from tests.soak.trend import Trend, fit

SETTINGS = {
    # Whatever is temporary has a life much shorter than a run, the shortest that TAMS permits.
    "TAMS_MIN_OBJECT_TIMEOUT": "300",
    "TAMS_UPLOAD_URL_TIMEOUT": "300",
    "TAMS_DELETE_REQUEST_RETENTION": "120",
    "TAMS_LOG_LEVEL": "WARNING",
    "TAMS_REQUEST_HEAD_TIMEOUT": "5",
    "TAMS_MIN_RATE_WINDOW": "5",
    "TAMS_FAIL_ON_BAD_ANSWER": "true",
}
_PAUSE_S = 0.1
_FAILURE_PAUSE_S = 5.0
"""Time between two failures of a receiver. Each holds up its deliveries for a second or two, so that with more failures
its queue would grow without end on a fast machine."""
_REPORT_EVERY_S = 15.0
_CHECK_EVERY_S = 30.0
_MIN_SAMPLES = 100
"""Number of measurements in a run, however short it is."""


@dataclass
class SoakReport:
    """The outcome of a run. trends: of all that was measured. errors: of clients and measurements."""

    trends: list[Trend] = field(default_factory=list)
    responses: Responses = field(default_factory=Responses)
    findings: Findings = field(default_factory=Findings)
    errors: list[str] = field(default_factory=list)
    leftovers: Leftovers | None = None
    acknowledged: int = 0
    uploaded: int = 0
    events: int = 0
    repeated_deliveries: int = 0

    @property
    def growing(self) -> list[Trend]:
        return [trend for trend in self.trends if not trend.is_flat]

    @property
    def has_failed(self) -> bool:
        return bool(self.growing or self.responses.errors or self.findings or self.errors)

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.responses.statuses.items()))
        faults = [*self.responses.errors[:20], *self.errors[:20]]
        return "\n".join(
            [
                *map(str, self.trends),
                *self.responses.summary(),
                f"{self.responses.statuses.total()} responses: {statuses}",
                f"{self.acknowledged} changes and {self.uploaded} uploads acknowledged; {self.events} events,"
                f" {self.repeated_deliveries} of their deliveries repeated",
                f"acknowledged writes: {self.findings}",
                f"left until it expires: {self.leftovers}",
                *(f"fault: {fault}" for fault in faults),
                "FAILED" if self.has_failed else "passed: memory, files and disk are flat, and nothing was lost",
            ]
        )


def run_soak(
    server: ServerProcess,
    clock: ServerClock,
    minutes: float,
    *,
    authors: int = 3,
    say: Callable[[str], None] = lambda _: None,
    at_start: Path = MEASURED,
) -> SoakReport:
    """Start `server`, which must have SETTINGS, and run mixed traffic for some minutes.

    clock: that of the server, which is set forward at the end. say: called with a line of progress. at_start: what the
    processes of the server load at their start.
    """
    report = SoakReport()
    server.settings |= {"PYTHONPATH": str(at_start), FOLDER: str(server.folder / "memory-used")}
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(Receiver(unreliable(pause_s=_FAILURE_PAUSE_S))),
            stack.enter_context(Receiver()),
        ]
        stack.enter_context(server)
        http = stack.enter_context(server.client(60))
        hooks = [subscribe(http, receiver.url) for receiver in receivers]
        second = second_backend(http)
        writers = [
            Author(recorded_client(server, report.responses, "author"), _PAUSE_S, second) for _ in range(authors)
        ]
        others = _clients(server, report.responses)
        sampler = Sampler(server, min(2.0, minutes * 60 / _MIN_SAMPLES), report.responses.statuses.total)
        threads: list[Author | traffic.Client | Sampler] = [*writers, *others, sampler]
        for thread in threads:
            thread.start()
        _wait(minutes * 60, writers, report, sampler, say)
        for thread in threads:
            thread.stop()
        receivers[0].behave([respond()])
        _judge(sampler, others, report)
        known = {path for writer in writers for path in (writer.books.flow.path, *writer.books.webhooks)}
        traffic.delete_others(http, known | set(hooks))
        report.events, report.leftovers = finish(server, clock, writers, receivers, hooks, report.findings, others=True)
        report.repeated_deliveries = sum(len(each.received) - len(distinct(each.received)) for each in receivers)
        for writer in writers:
            report.findings.add(writer.findings)
            report.acknowledged += writer.books.acknowledged
            report.uploaded += writer.books.uploaded
            if writer.books.unanswered:
                report.errors.append(f"{writer.books.unanswered} requests of an author got no response")
    return report


def _clients(server: ServerProcess, responses: Responses) -> list[traffic.Client]:
    stopping = threading.Event()
    actions = [
        *(("reader", traffic.reader(server, responses), 0.1) for _ in range(2)),
        ("large objects", traffic.large_objects(server, responses), 1.0),
        ("hostile", traffic.hostile(server, responses), 0.1),
        *(("slow", traffic.slow(server, stopping), 0.1) for _ in range(4)),
    ]
    return [traffic.Client(name, once, pause_s, stopping) for name, once, pause_s in actions]


def _wait(
    seconds: float, writers: Sequence[Author], report: SoakReport, sampler: Sampler, say: Callable[[str], None]
) -> None:
    began = reported = checked = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        time.sleep(min(1.0, began + seconds - now))
        if now > checked + _CHECK_EVERY_S:
            checked = now
            for writer in writers:
                writer.request_check()
        if now > reported + _REPORT_EVERY_S:
            reported = now
            acknowledged = sum(writer.books.acknowledged for writer in writers)
            errors = len(report.responses.errors) + sum(len(writer.findings.lost) for writer in writers)
            say(
                f"{(now - began) / 60:.1f} min: {report.responses.statuses.total()} responses, {acknowledged} changes"
                f" acknowledged, {errors} errors; {sampler.latest()}"
            )


def _judge(sampler: Sampler, others: Sequence[traffic.Client], report: SoakReport) -> None:
    limits = {**PROCESS_LIMITS, **STORE_LIMITS}
    report.trends = [
        fit(f"{name}, {where}", measured, limits[name]) for (name, where), measured in sorted(sampler.series.items())
    ]
    report.errors += sampler.errors
    for client in others:
        report.errors += client.errors
        if not client.done:
            report.errors.append(f"the client {client.name} did nothing")
