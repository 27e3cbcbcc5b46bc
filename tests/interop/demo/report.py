"""Output of the demo: progress while it runs, and tables of its steps and checks at the end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Step:
    """A step of the demo, filled in while it runs. size: bytes. seconds: wall-clock time."""

    what: str
    count: str = ""
    size: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A condition that must hold. found: what was observed."""

    what: str
    holds: bool
    found: str


@dataclass
class Report:
    """Collects steps and checks, and prints each as it happens. print_line: called with each line."""

    print_line: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Time the block, and print the step when it ends."""
        step = Step(what)
        begin = time.perf_counter()
        yield step
        step.seconds = time.perf_counter() - begin
        self.steps.append(step)
        size = None if step.size is None else f"{step.size:,} bytes"
        self.print_line(f"  {what}: {', '.join(filter(None, [step.count, size, f'{step.seconds:.2f} s']))}")

    def check(self, what: str, holds: bool, found: str) -> None:
        """Record whether a condition holds."""
        self.checks.append(Check(what, holds, found))
        self.print_line(f"  {'ok    ' if holds else 'FAILED'}  {what}: {found}")

    @property
    def passed(self) -> bool:
        """Whether there was at least one check, and all hold."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def tables(self) -> str:
        """Both tables as text."""
        steps = [(step.what, step.count, _number(step.size), f"{step.seconds:.2f} s") for step in self.steps]
        checks = [(check.what, "ok" if check.holds else "FAILED", check.found) for check in self.checks]
        return "\n\n".join(
            [_table(("Done", "Count", "Bytes", "Time"), steps), _table(("Checked", "Result", "Found"), checks)]
        )


def _number(size: int | None) -> str:
    return "" if size is None else f"{size:,}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)
