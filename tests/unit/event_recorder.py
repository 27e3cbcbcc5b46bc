"""Records the events of a catalogue, and validates each against the specification."""

from dataclasses import dataclass
from datetime import datetime

from storage.catalog.clock import SECOND, rfc3339
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import Json
from tests.unit.catalogs import World


@dataclass
class EventRecorder:
    """A webhook for events of all types."""

    world: World
    specification: Specification
    webhook_id: str

    @classmethod
    def start(cls, world: World, specification: Specification) -> "EventRecorder":
        return cls(world, specification, world.add_webhook())

    def new_events(self) -> list[Json]:
        """Return the events since the last call, in order, and turn the clock forward by a second."""
        bodies = self.world.deliver_events(self.webhook_id)
        for body in bodies:
            assert list(body) == ["event_timestamp", "event_type", "event"]
            assert moment(body) == self.world.clock() / SECOND
            violation = self.specification.webhooks[body["event_type"]].violation(body)
            assert violation is None, violation
        self.world.clock.forward(1)
        return bodies

    def new_types(self) -> list[str]:
        """Return the types of the events since the last call, in order."""
        return [body["event_type"] for body in self.new_events()]

    def new_types_and_ids(self) -> list[tuple[str, str]]:
        """Return the type of each event since the last call, and the id of its flow or source."""
        return [(body["event_type"], subject_id(body)) for body in self.new_events()]


def subject_id(body: Json) -> str:
    """Return the id of the flow or source that an event is about."""
    event = body["event"]
    for member in ("flow", "source"):
        if member in event:
            return str(event[member]["id"])
    return str(event.get("flow_id") or event["source_id"])


def moment(body: Json) -> float:
    """Return the time of an event in seconds since 1970."""
    stamp = body["event_timestamp"]
    parsed = datetime.fromisoformat(stamp).timestamp()
    assert stamp == rfc3339(round(parsed * SECOND))
    return parsed
