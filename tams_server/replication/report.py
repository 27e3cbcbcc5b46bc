"""What a run has done so far, and the problems that it met."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tams_server.replication.problems import Problem

_REMEMBERED = 10_000
"""Problems of which a repetition is recognised, so that one that lasts is told once."""


def _ignore(_: str) -> None:
    pass


@dataclass(slots=True)
class Report:
    """The counts of a run. Call `tell` with problems, `say` with changes.

    tell_problem, say: called with a line for each. on_progress: called whenever a count has changed.
    """

    flows_written: int = 0
    sources_written: int = 0
    segments_copied: int = 0
    segments_there: int = 0
    segments_deleted: int = 0
    segments_surplus: int = 0
    objects_copied: int = 0
    objects_there: int = 0
    objects_referenced: int = 0
    objects_proven: int = 0
    objects_reread: int = 0
    bytes_copied: int = 0
    problems: int = 0
    tell_problem: Callable[[str], None] = _ignore
    say: Callable[[str], None] = _ignore
    on_progress: Callable[["Report"], None] = lambda _: None
    _told: dict[str, None] = field(default_factory=dict)

    def tell(self, problem: Problem, about: str) -> None:
        """Report a problem, once. about: the flow or source, as in "flow 4f5c..."."""
        line = f"{problem.kind}: {about}: {problem}"
        if line in self._told:
            return
        self.problems += 1
        self._told[line] = None
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self.tell_problem(line)

    def progress(self) -> None:
        self.on_progress(self)

    def add_bytes(self, count: int) -> None:
        """Count bytes on their way."""
        self.bytes_copied += count
        self.on_progress(self)
