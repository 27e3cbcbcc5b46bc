"""What the tests of deliveries do with them: cause events, claim the job of a webhook, mark events as delivered."""

from storage.catalog.jobs import Claim
from tests.unit.catalogs import World


def create_flows(world: World, count: int = 1) -> list[str]:
    """Create `count` flows and dispatch their events. Returns the ids of the flows."""
    made = []
    for _ in range(count):
        world.clock.forward(0.001)
        made.append(world.make_flow())
    world.run_background_work()
    return made


def claim_job(world: World, webhook_id: str, worker: str = "a worker") -> Claim:
    """Claim the delivery job of a webhook, which must be due."""
    claim = world.delivery_job(webhook_id, worker)
    assert claim is not None
    return claim


def queued_flows(world: World, claim: Claim) -> list[str]:
    """Return the ids of the flows in the queued events."""
    return [message.body["event"]["flow"]["id"] for _, message in world.messages(claim) if message is not None]


def mark_delivered(world: World, claim: Claim, count: int) -> None:
    """Mark the next `count` deliveries as delivered."""
    world.catalog.deliveries.mark_delivered(claim, world.catalog.deliveries.next_batch(claim.key, count))
