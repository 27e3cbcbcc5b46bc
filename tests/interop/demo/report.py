"""What the demo tells: progress while it runs, and at the end a table of what was done and one of what was checked."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Step:
    """One thing that the demo did, filled in while it is being done. `size` is in bytes, `seconds` is wall-clock."""

    what: str
    count: str = ""
    size: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """One thing that must hold. `found` says what was seen."""

    what: str
    holds: bool
    found: str


@dataclass
class Report:
    """Collects steps and checks, and says each of them as it happens."""

    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Times what is done inside, and says so when it is done."""
        step = Step(what)
        begin = time.perf_counter()
        yield step
        step.seconds = time.perf_counter() - begin
        self.steps.append(step)
        size = None if step.size is None else f"{step.size:,} bytes"
        self.say(f"  {what}: {', '.join(filter(None, [step.count, size, f'{step.seconds:.2f} s']))}")

    def check(self, what: str, holds: bool, found: str) -> None:
        """Notes whether something holds that must hold."""
        self.checks.append(Check(what, holds, found))
        self.say(f"  {'ok    ' if holds else 'FAILED'}  {what}: {found}")

    @property
    def good(self) -> bool:
        """Whether anything was checked, and all of it holds."""
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
