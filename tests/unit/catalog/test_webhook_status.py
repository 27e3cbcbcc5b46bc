"""The status of a webhook: started by a delivery, set to error by failures, disabled and enabled by its client."""

import pytest

from storage.catalog import Limits
from storage.errors import Invalid
from tests.unit.catalogs import World

LIMITS = Limits(webhook_give_up_s=100)


def fail_delivery(world: World, webhook_id: str, *, gone: bool = True) -> None:
    """Make one delivery fail."""
    world.make_flow()
    world.run_background_work()
    claim = world.delivery_job(webhook_id)
    assert claim is not None
    world.catalog.deliveries.record_failure(claim, "status", "The receiver responded with 410 Gone.", None, gone=gone)
    world.clock.forward(1)


@pytest.mark.behaviour("HOOK-ST-01", "HOOK-POST-06")
def test_the_first_delivery_sets_the_status_to_started(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    assert world.webhook(webhook)["status"] == "created"
    world.make_flow()
    world.deliver_events(webhook)
    assert world.webhook(webhook)["status"] == "started"
    world.make_flow()
    world.deliver_events(webhook)
    assert world.webhook(webhook)["status"] == "started"


@pytest.mark.behaviour("HOOK-ST-04", "AMB-15", "HOOK-GET-03")
def test_a_webhook_in_error_cannot_be_disabled(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    fail_delivery(world, webhook)
    assert world.webhook(webhook)["status"] == "error"
    with pytest.raises(Invalid) as rejected:
        world.set_webhook(webhook, "disabled")
    assert (rejected.value.field, rejected.value.behaviour) == ("status", "HOOK-ST-04")
    shown = world.webhook(webhook)
    assert shown["status"] == "error"
    assert set(shown["error"]) == {"type", "summary", "time"}


@pytest.mark.behaviour("HOOK-ST-03", "HOOK-ST-07", "AMB-40")
def test_a_webhook_in_error_can_be_enabled_again(world: World) -> None:
    webhook = world.add_webhook("flows/created", api_key_name="X-Key", api_key_value="a secret")
    fail_delivery(world, webhook)
    world.make_flow()
    world.clock.forward(1)
    shown = world.set_webhook(webhook)
    assert shown["status"] == "created"
    assert "error" not in shown
    assert world.webhook(webhook) == shown
    assert [row["secret"] for row in world.rows("webhooks")] == ["a secret"]
    flow_id = world.make_flow()
    (body,) = world.deliver_events(webhook)
    assert body["event"]["flow"]["id"] == flow_id


@pytest.mark.behaviour("HOOK-ST-03", "HOOK-ST-05")
def test_enabling_a_webhook_resets_the_time_to_give_up(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    fail_delivery(world, webhook, gone=False)
    world.clock.forward(1000)
    world.set_webhook(webhook, "disabled")
    world.set_webhook(webhook)
    fail_delivery(world, webhook, gone=False)
    assert world.webhook(webhook)["status"] == "started"


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-03")
def test_a_webhook_can_be_disabled_and_enabled_in_any_other_status(world: World) -> None:
    webhook = world.add_webhook("flows/created", status="disabled")
    assert world.webhook(webhook)["status"] == "disabled"
    assert world.set_webhook(webhook)["status"] == "created"
    assert world.set_webhook(webhook, "disabled")["status"] == "disabled"
    assert world.set_webhook(webhook, "disabled")["status"] == "disabled"
    world.set_webhook(webhook)
    world.clock.forward(1)
    world.make_flow()
    assert world.delivered_types(webhook) == ["flows/created"]
    assert world.webhook(webhook)["status"] == "started"
    assert world.set_webhook(webhook, "disabled")["status"] == "disabled"
