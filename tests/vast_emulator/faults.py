"""What goes wrong on purpose."""

import random
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tests.vast_emulator.errors import Refusal

Kind = Literal["latency", "slowdown", "error", "drop", "lose-answer", "gateway"]


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Gateway(Exception):
    """Something before the cluster is to answer with this status, in words of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Fault:
    """kind: "latency" waits `seconds`; "slowdown" answers 503 SlowDown; "error" answers 500; "drop" closes the
    connection before anything is done, "lose-answer" once it is done; "gateway" answers `status` as a proxy does.
    requests: of which kinds ("commit", "insert", ...; () for all). times: how often, -1 for ever. chance: for each
    request."""

    kind: Kind
    requests: tuple[str, ...] = ()
    times: int = -1
    chance: float = 1.0
    seconds: float = 0.0
    status: int = 502


class Faults:
    """The faults in force, shared by all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._random = random.Random()

    def set(self, faults: list[Fault]) -> None:
        with self._lock:
            self._faults = list(faults)

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def _drawn(self, request: str) -> list[Fault]:
        drawn = []
        with self._lock:
            for fault in self._faults:
                if fault.times and (not fault.requests or request in fault.requests):
                    if self._random.random() >= fault.chance:
                        continue
                    fault.times -= 1 if fault.times > 0 else 0
                    drawn.append(fault)
        return drawn

    def before(self, request: str) -> bool:
        """Go wrong, or wait, before a request is carried out. True: its answer is to be lost."""
        lose = False
        for fault in self._drawn(request):
            match fault.kind:
                case "latency":
                    time.sleep(fault.seconds)
                case "slowdown":
                    raise Refusal(503, "SlowDown", "try again later")
                case "error":
                    raise Refusal(500, "InternalError", "a fault on purpose")
                case "drop":
                    raise Dropped
                case "gateway":
                    raise Gateway(fault.status)
                case "lose-answer":
                    lose = True
        return lose
