"""A webhook that wants everything, and what it is told: each message held against the specification."""

from dataclasses import dataclass
from datetime import datetime

from storage.catalog.clock import SECOND, rfc3339
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import Json
from tests.unit.catalogs import World


@dataclass
class Ear:
    world: World
    specification: Specification
    webhook_id: str

    @classmethod
    def listening(cls, world: World, specification: Specification) -> "Ear":
        return cls(world, specification, world.add_webhook())

    def hear(self) -> list[Json]:
        """What there is to be told since the last time, in order; the clock goes on by a second then."""
        bodies = self.world.deliver_events(self.webhook_id)
        for body in bodies:
            assert list(body) == ["event_timestamp", "event_type", "event"]
            assert moment(body) == self.world.clock() / SECOND
            violation = self.specification.webhooks[body["event_type"]].violation(body)
            assert violation is None, violation
        self.world.clock.forward(1)
        return bodies

    def types(self) -> list[str]:
        """The types of the events since the last time, in order."""
        return [body["event_type"] for body in self.hear()]

    def named(self) -> list[tuple[str, str]]:
        """Type and id of the flow or source of each event since the last time."""
        return [(body["event_type"], named(body)) for body in self.hear()]


def named(body: Json) -> str:
    """The id of the flow or source that an event is about."""
    event = body["event"]
    for member in ("flow", "source"):
        if member in event:
            return str(event[member]["id"])
    return str(event.get("flow_id") or event["source_id"])


def moment(body: Json) -> float:
    """The event's time in seconds since 1970."""
    stamp = body["event_timestamp"]
    parsed = datetime.fromisoformat(stamp).timestamp()
    assert stamp == rfc3339(round(parsed * SECOND))
    return parsed
