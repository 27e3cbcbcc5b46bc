"""What to replicate, and how."""

from dataclasses import dataclass

from storage.timerange import ETERNITY, TimeRange


@dataclass(frozen=True, slots=True)
class Options:
    """The choices for one run.

    timerange: only segments that overlap it. verify: the part of the objects, from 0 to 1, that is read again. follow:
    further passes come. delete: delete at TO what FROM no longer has. dry_run: change nothing.
    """

    flow_ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    timerange: TimeRange = ETERNITY
    parallel: int = 4
    verify: float = 0.0
    follow: bool = False
    delete: bool = False
    dry_run: bool = False
