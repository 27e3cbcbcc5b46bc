"""Flows with many segments: made through the API, then filled past it."""

from collections.abc import Callable
from typing import Any, Protocol

from tests.benchmarks.seeding import Seeder, uuid_text
from tests.conformance.kit.documents import flow

SEGMENT_S = 2
"""Length of every segment; the n-th begins at 2n seconds."""
REUSES = 100
"""How many segments share one object in a flow of at least 1,000."""


class Api(Protocol):
    """Sends requests to a server."""

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response; raises for any other status than 2xx."""


class Filled:
    """A flow with `count` segments in a row. Number `kind` makes its ids unique; below 2^16."""

    def __init__(self, kind: int, count: int) -> None:
        self.kind = kind
        self.count = count
        self.id = uuid_text(kind, 0xFFFFFF)

    def object_id(self, n: int) -> str:
        """The object of segment n, unless that is shared."""
        return uuid_text(self.kind, n)

    @property
    def step(self) -> int:
        """The distance of segments that share an object."""
        return max(10, self.count // REUSES)

    @property
    def shared_id(self) -> str:
        """The object that segment 0 and every `step`-th after it share."""
        return self.object_id(0)

    def create(self, api: Api) -> None:
        """Make the flow with its first and its last segment, between which `fill` puts copies of the first."""
        document = flow(id=self.id, source_id=uuid_text(self.kind, 0xFFFFFE), label=f"{self.count} segments")
        api.send("PUT", f"/flows/{self.id}", document)
        ends = {0: self.shared_id, self.count - 1: self.object_id(self.count - 1)}
        api.send("POST", f"/flows/{self.id}/storage", {"object_ids": list(ends.values())})
        for n, object_id in ends.items():
            timerange = f"[{n * SEGMENT_S}:0_{(n + 1) * SEGMENT_S}:0)"
            api.send("POST", f"/flows/{self.id}/segments", {"object_id": object_id, "timerange": timerange})

    def fill(self, seeder: Seeder, progress: Callable[[int], None]) -> None:
        """Add the other segments, with an object, an instance and a reference each; every `step`-th shares one."""
        object_id = seeder.uuid(self.kind)
        start, end = f"(n * {SEGMENT_S})", f"((n + 1) * {SEGMENT_S})"
        timerange = f"'[' || {start} || ':0_' || {end} || ':0)'"
        times = {"start_ns": f"{start} * 1000000000", "end_ns": f"{end} * 1000000000"}
        document = seeder.json(f"""'{{"object_timerange":"' || {timerange} || '"}}'""")
        shared = f"n % {self.step} = 0"
        segment = {
            **times,
            "timerange": timerange,
            "doc": document,
            "object_id": f"CASE WHEN {shared} THEN t.object_id ELSE {object_id} END",
        }
        numbers, own = range(1, self.count - 1), f"NOT ({shared})"
        with seeder.unconstrained("segments"):
            seeder.copy("segments", f"t.flow_id = '{self.id}' AND t.start_ns = 0", numbers, segment, progress)
        objects = {"id": object_id, **times, "timerange": timerange}
        seeder.copy("objects", f"t.id = '{self.shared_id}'", numbers, objects, only=own)
        for table in ("instances", "object_refs"):
            seeder.copy(table, f"t.object_id = '{self.shared_id}'", numbers, {"object_id": object_id}, only=own)
        uses = -(-(self.count - 1) // self.step)
        seeder.execute(f"UPDATE object_refs SET segments = {uses} WHERE object_id = '{self.shared_id}'")
