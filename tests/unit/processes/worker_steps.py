"""What the tests of the worker share."""

from storage.catalog import Limits
from tests.conformance.kit.polling import wait_until
from tests.unit.catalogs import World

TIMEOUT_S = 30
LIMITS = Limits(job_lease_s=20, async_deletion_threshold=5, deletion_batch=5, object_grace_s=0)


def wait_until_idle(world: World) -> None:
    """Wait until no work is left."""
    wait_until(lambda: not world.rows("jobs") and not world.rows("events"), "the end of all work", TIMEOUT_S)
