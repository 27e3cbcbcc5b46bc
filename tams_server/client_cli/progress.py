"""The progress of long commands on standard error: bars on a terminal, lines now and then elsewhere, nothing if quiet.

    with context.progress() as progress:
        task = progress.add("uploading", total=size, unit="bytes")
        task.advance(len(chunk))

Tasks may be added and advanced from any thread.
"""

import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.progress

_ELSEWHERE_S = 10.0
"""Between two lines of a task where there is no terminal."""
_BAR = 12
_BESIDE = 68
"""Characters of a line that are not the description: bar, numbers, remaining time."""
_SHORTEST = 12


class Task:
    """One thing that advances. total: None while it is not known. unit: "bytes", or the plural of what is counted."""

    def __init__(self, progress: "Progress", what: str, total: float | None, unit: str) -> None:
        self.what = what
        self.unit = unit
        self.total = total
        self.done = 0.0
        self._progress = progress
        self._began = time.monotonic()

    def advance(self, count: float = 1) -> None:
        """Count what has been done since."""
        self.set(self.done + count)

    def set(self, done: float, total: float | None = None) -> None:
        """Set how much is done, and the total once it is known."""
        self.done = done
        self.total = self.total if total is None else total
        self._progress.changed(self)

    def describe(self, what: str) -> None:
        """Change what the task says that it does."""
        self.what = what
        self._progress.changed(self)

    def line(self) -> str:
        """The state as a line of a log."""
        seconds = max(time.monotonic() - self._began, 0.001)
        if self.unit == "bytes":
            done, total = size(self.done), None if self.total is None else size(self.total)
            rate = f", {size(self.done / seconds)}/s"
        else:
            done, total = f"{self.done:,.0f}", None if self.total is None else f"{self.total:,.0f} {self.unit}"
            rate = ""
        share = f" ({self.done / self.total:.0%})" if self.total else ""
        return f"{self.what}: {done}{f' of {total}' if total else f' {self.unit}' if not rate else ''}{share}{rate}"


class Progress:
    """All tasks of a command. Use it as a context manager. Lines may be printed meanwhile: the bars step aside."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: rich.progress.Progress | None = None
        self._ids: dict[Task, rich.progress.TaskID] = {}
        self._told: dict[Task, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def add(self, what: str, total: float | None = None, unit: str = "bytes") -> Task:
        """Add a task. total: how much there is to do, in units; None if it is not known."""
        task = Task(self, what, total, unit)
        with self._lock:
            self._told[task] = time.monotonic()
            if self._bars is None and not self._quiet and sys.stderr.isatty():
                self._bars = _bars()
                self._bars.start()
            if self._bars is not None:
                shown = _shortened(what, self._bars.console.width - _BESIDE)
                self._ids[task] = self._bars.add_task(shown, total=total, state="")
        return task

    def remove(self, task: Task) -> None:
        """Remove a task that is done, so that what follows has its place."""
        with self._lock:
            self._told.pop(task, None)
            if self._bars is not None and task in self._ids:
                self._bars.remove_task(self._ids.pop(task))

    def changed(self, task: Task) -> None:
        """Show the state of a task. Called by the task."""
        with self._lock:
            if self._quiet or task not in self._told:
                return
            if self._bars is not None:
                state = task.line().removeprefix(f"{task.what}: ")
                self._bars.update(
                    self._ids[task],
                    description=_shortened(task.what, self._bars.console.width - _BESIDE),
                    completed=task.done,
                    total=task.total,
                    state=state,
                )
            elif time.monotonic() - self._told[task] >= _ELSEWHERE_S:
                self._told[task] = time.monotonic()
                print(task.line(), file=sys.stderr, flush=True)


def size(count: float) -> str:
    """A number of bytes in words, by powers of ten."""
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count:.0f} bytes"


def counted(count: int, what: str) -> str:
    """A number of things in words. what: one of them."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def duration(seconds: float) -> str:
    """A length of time for people: 4.0 s, 2 min 3 s, 1 h 59 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _shortened(text: str, width: int) -> str:
    """The text, or its end if it is too long, as that is where names differ."""
    width = max(width, _SHORTEST)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _bars() -> "rich.progress.Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TextColumn("{task.fields[state]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True, soft_wrap=True),
        transient=True,
    )
