"""What an export has written."""

from dataclasses import dataclass, field

from storage.timerange import TimeRange
from tams_server.client_media.export_plan import Track


@dataclass(slots=True)
class ExportResult:
    """What was written. frames: of video. encoded: how many of them were re-encoded. samples: of sound, in a WAV file.

    packets: of all tracks. written: each track with its packets; None for those of WAV.
    """

    timerange: TimeRange
    frames: int = 0
    encoded: int = 0
    samples: int = 0
    packets: int = 0
    written: list[tuple[Track, int | None]] = field(default_factory=list)
    size: int = 0
    gaps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
