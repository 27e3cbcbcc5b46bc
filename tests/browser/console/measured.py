"""What a page takes: until something is shown, the tasks in which it does not respond, and its requests."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

_RECORD = """
  window.measured = {tasks: [], rows: null};
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.measured.tasks.push(entry.duration);
  }).observe({type: "longtask", buffered: true});
  performance.setResourceTimingBufferSize(5000);
  const observer = new MutationObserver(() => {
    if (!document.querySelector(".table-body [role=row]")) return;
    window.measured.rows = performance.now();
    observer.disconnect();
  });
  observer.observe(document, {childList: true, subtree: true});
"""
_REQUESTS = """(start) => performance.getEntriesByType("resource").filter((entry) => entry.startTime >= start)
  .map((entry) => [entry.name, entry.responseStart - entry.requestStart, entry.encodedBodySize])"""


@dataclass(frozen=True, slots=True)
class Request:
    """ms: from when the request was sent until the response began. size: of its body as it was sent, in bytes."""

    url: str
    ms: float
    size: int


@dataclass(frozen=True, slots=True)
class Work:
    """What a page has done. ms: how long it took. tasks: the duration of each that took more than 50 ms, in ms."""

    ms: float
    tasks: tuple[float, ...]
    requests: tuple[Request, ...]

    def slowest(self) -> float:
        """The longest time that the server took to respond, media apart, in ms; 0 without any request."""
        return max((each.ms for each in self.requests if not re.search("/media/|output", each.url)), default=0)

    def is_within(self, limits: "Limits") -> bool:
        """Whether nothing took longer than it may."""
        task = max(self.tasks, default=0)
        return self.ms < limits.step and self.slowest() < limits.server and task < limits.task

    def __str__(self) -> str:
        task = f"{max(self.tasks, default=0):.0f} ms"
        return (
            f"{self.ms:.0f} ms, {len(self.requests)} requests of at most {self.slowest():.0f} ms, longest task {task}"
        )


def record(page: Page) -> None:
    """Record what the pages do that `page` opens from now on."""
    page.add_init_script(_RECORD)


def first_rows_ms(page: Page) -> float:
    """When the first row of a table was in the document, in ms since the navigation began."""
    found: float = page.evaluate("window.measured.rows")
    return found


def all_requests(page: Page) -> tuple[Request, ...]:
    """The requests since the navigation began, apart from that for the page itself."""
    return tuple(Request(*entry) for entry in page.evaluate(_REQUESTS, 0))


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a step may take, in ms: as a whole, for the server's responses, and for a task of the page."""

    step: float = 1000
    server: float = 400
    task: float = 200


@dataclass
class Steps:
    """What a person does on a page, step by step. limits: None where times do not count, as on a busy machine."""

    page: Page
    limits: Limits | None
    slow: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what the page does in the block, which waits until it is done, and print it."""
        start, tasks = self.page.evaluate("[performance.now(), window.measured.tasks.length]")
        yield
        end, durations = self.page.evaluate("[performance.now(), window.measured.tasks]")
        entries: list[Any] = self.page.evaluate(_REQUESTS, start)
        work = Work(end - start, tuple(durations[tasks:]), tuple(Request(*entry) for entry in entries))
        print(f"{name}: {work}")
        if self.limits is not None and not work.is_within(self.limits):
            self.slow.append(f"{name}: {work}")

    def check(self) -> None:
        """Raise AssertionError for steps that took longer than they may."""
        assert self.slow == []
