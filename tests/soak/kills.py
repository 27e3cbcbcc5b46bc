"""Kill a server at random moments, again and again, and compare it with what it acknowledged after each kill."""

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil

from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import respond
from tests.faults.history import distinct
from tests.faults.receivers import Receiver
from tests.faults.server_process import ServerProcess
from tests.servers.clock import ServerClock
from tests.soak.author import Author
from tests.soak.ending import finish, second_backend, subscribe
from tests.soak.failing_receiver import unreliable
from tests.soak.findings import Findings
from tests.soak.leftovers import Leftovers
from tests.soak.reading import RECOVERY_S, patiently

KINDS = ("everything", "master", "background", "serving", "refuse")
"""What is killed: the whole process group; the master alone, with which its children must end; the background worker;
one serving process; the background worker while the receiver of events refuses connections."""
_PAUSE_S = 0.1


@dataclass
class KillReport:
    """The outcome of a run. kinds: number of kills by what was killed. Times in seconds.

    deliveries: by receiver, their number and how many of them were repeated.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    leftovers: Leftovers | None = None
    acknowledged: int = 0
    uploaded: int = 0
    rejected: int = 0
    unanswered: int = 0
    repeated: int = 0
    unavailable: int = 0
    events: int = 0
    deliveries: dict[str, tuple[int, int]] = field(default_factory=dict)
    longest_recovery_s: float = 0.0
    took_s: float = 0.0

    @property
    def has_failed(self) -> bool:
        return bool(self.findings)

    def add(self, writer: Author) -> None:
        self.findings.add(writer.findings)
        for name in ("acknowledged", "uploaded", "rejected", "unanswered", "repeated", "unavailable"):
            setattr(self, name, getattr(self, name) + getattr(writer.books, name))

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        deliveries = "; ".join(
            f"{name} receiver: {received} deliveries, {again} of them repeated"
            for name, (received, again) in self.deliveries.items()
        )
        return "\n".join(
            [
                f"{self.kinds.total()} kills in {self.took_s:.0f} s: {kinds};"
                f" longest recovery {self.longest_recovery_s:.1f} s",
                f"{self.acknowledged} changes and {self.uploaded} uploads acknowledged, {self.rejected} rejected,"
                f" {self.unanswered} without a response, {self.repeated} repeated, {self.unavailable} unavailable",
                f"{self.events} events; {deliveries}",
                f"left until it expires: {self.leftovers}",
                f"acknowledged writes: {self.findings}",
                "FAILED" if self.has_failed else "passed: nothing was lost or doubled, and nothing was left behind",
            ]
        )


def run_kills(
    server: ServerProcess,
    clock: ServerClock,
    rounds: int,
    *,
    authors: int = 3,
    traffic_s: tuple[float, float] = (0.1, 2),
    say: Callable[[str], None] = lambda _: None,
) -> KillReport:
    """Start `server`, kill it so many times while clients change it, and compare it with their books each time.

    clock: that of the server, which is set forward at the end. traffic_s: the least and most time between two kills.
    say: called with a line of progress.
    """
    began, report = time.monotonic(), KillReport()
    with ExitStack() as stack:
        failing = stack.enter_context(Receiver(unreliable()))
        reliable = stack.enter_context(Receiver())
        stack.enter_context(server)
        http = stack.enter_context(server.client())
        receivers = {"unreliable": failing, "reliable": reliable}
        hooks = [subscribe(http, receiver.url) for receiver in receivers.values()]
        second = second_backend(http)
        writers = [Author(stack.enter_context(server.client()), _PAUSE_S, second) for _ in range(authors)]
        for writer in writers:
            writer.start()
        for number, kind in enumerate(_kinds(rounds), 1):
            time.sleep(random.uniform(*traffic_s))
            killed_at = time.monotonic()
            _kill(server, failing, kind)
            report.kinds[kind] += 1
            patiently(lambda: http.get("/flows", params={"limit": 1}).raise_for_status())
            report.longest_recovery_s = max(report.longest_recovery_s, time.monotonic() - killed_at)
            _check(writers)
            if number % 10 == 0 or number == rounds:
                total = sum(writer.books.acknowledged for writer in writers)
                say(f"{number} kills, {total} changes acknowledged, {_total(writers)}")
        for writer in writers:
            writer.stop()
        failing.behave([respond()])
        report.events, report.leftovers = finish(
            server, clock, writers, list(receivers.values()), hooks, report.findings
        )
        for writer in writers:
            report.add(writer)
        for name, receiver in receivers.items():
            count = len(receiver.received)
            report.deliveries[name] = count, count - len(distinct(receiver.received))
    report.took_s = time.monotonic() - began
    return report


def _kinds(rounds: int) -> list[str]:
    """All kinds about equally often, in random order."""
    first = random.sample(KINDS, len(KINDS))
    kinds = list(itertools.islice(itertools.cycle(first), rounds))
    random.shuffle(kinds)
    return kinds


def _check(writers: list[Author]) -> None:
    for writer in writers:
        writer.request_check()
    wait_until(lambda: all(writer.has_checked for writer in writers), "the checks after a kill", 2 * RECOVERY_S)


def _total(writers: list[Author]) -> Findings:
    total = Findings()
    for writer in writers:
        total.add(writer.findings)
    return total


def _kill(server: ServerProcess, receiver: Receiver, kind: str) -> None:
    match kind:
        case "everything":
            server.kill()
            server.start()
        case "master":
            _kill_master(server)
            server.start()
        case "background":
            os.kill(server.background_pid(), signal.SIGKILL)
        case "serving":
            os.kill(random.choice(server.serving_pids()), signal.SIGKILL)
        case "refuse":
            receiver.refuse()
            os.kill(server.background_pid(), signal.SIGKILL)
            time.sleep(random.uniform(0, 1))
            receiver.accept()


def _kill_master(server: ServerProcess) -> None:
    """Kill the master alone, and wait until its children have ended by themselves."""
    children = psutil.Process(server.main_pid).children()
    os.kill(server.main_pid, signal.SIGKILL)
    server.stop()
    _, alive = psutil.wait_procs(children, RECOVERY_S)
    assert not alive, f"processes outlive the master: {alive}"
