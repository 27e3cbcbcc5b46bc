"""The memory of a replication does not grow with the size of objects."""

import os

from tests.conformance.kit.documents import flow
from tests.replication.commands import replicate
from tests.replication.pair import Pair

_LARGE = int(os.environ.get("REPLICATION_OBJECT_BYTES", 40 * 2**20))
_GROWTH = 20 * 2**20


def most_memory(pair: Pair, size: int) -> int:
    """The most memory of a run that copies an object of so many bytes."""
    document = pair.origin.put_flow(flow())
    slot = pair.origin.allocate(document["id"])
    chunk = os.urandom(2**20)
    pair.origin.upload(slot, (chunk for _ in range(size // len(chunk))))
    pair.origin.register(document["id"], slot["object_id"], "[0:0_1:0)")
    done = replicate(pair, "--flow", document["id"], module=("tests.replication.measured_command",), timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    [copied] = pair.target.segments(document["id"])
    assert copied["object_id"] == slot["object_id"]
    return int(done.stdout.splitlines()[-1])


def test_a_large_object_takes_hardly_more_memory_than_a_small_one(pair: Pair) -> None:
    small, large = most_memory(pair, 2**20), most_memory(pair, _LARGE)
    assert large - small < _GROWTH
