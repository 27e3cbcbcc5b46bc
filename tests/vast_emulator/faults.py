"""Faults that the emulator injects into its responses."""

import random
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tests.vast_emulator.errors import Rejection

Kind = Literal["latency", "slowdown", "error", "drop", "lose-response", "gateway"]


class Dropped(Exception):
    """Close the connection without a response."""


class GatewayError(Exception):
    """Respond as a gateway in front of the cluster would, with this status and a body of its own."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Fault:
    """A fault that strikes requests of some kinds.

    kind: "latency" waits `seconds`; "slowdown" responds 503 SlowDown; "error" responds 500; "drop" closes the
        connection before the request is carried out, "lose-response" afterwards; "gateway" responds `status` as a proxy
        does.
    requests: the kinds of request ("commit", "insert", ...); () for all.
    times: how often, -1 for no limit. chance: probability for each request, from 0 to 1.
    """

    kind: Kind
    requests: tuple[str, ...] = ()
    times: int = -1
    chance: float = 1.0
    seconds: float = 0.0
    status: int = 502


class Faults:
    """The active faults, shared by all connections."""

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

    def _draw(self, request: str) -> list[Fault]:
        """The faults that strike this request."""
        drawn = []
        with self._lock:
            for fault in self._faults:
                if fault.times and (not fault.requests or request in fault.requests):
                    if self._random.random() >= fault.chance:
                        continue
                    fault.times -= 1 if fault.times > 0 else 0
                    drawn.append(fault)
        return drawn

    def inject(self, request: str) -> bool:
        """Wait or fail, before a request is carried out. Returns whether its response must be lost afterwards."""
        lose_response = False
        for fault in self._draw(request):
            match fault.kind:
                case "latency":
                    time.sleep(fault.seconds)
                case "slowdown":
                    raise Rejection(503, "SlowDown", "try again later")
                case "error":
                    raise Rejection(500, "InternalError", "injected fault")
                case "drop":
                    raise Dropped
                case "gateway":
                    raise GatewayError(fault.status)
                case "lose-response":
                    lose_response = True
        return lose_response
