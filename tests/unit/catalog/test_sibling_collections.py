"""The merged collections of the flows of one source: the same verdict as a comparison with each, for less."""

import random
import re
from itertools import pairwise

import pytest

from storage.catalog.flows.sibling_collections import SiblingCollections
from storage.errors import Invalid

Collected = dict[str, str | None]


class CountedId(str):
    """A source id that counts how often it is looked up."""

    __slots__ = ()
    lookups = 0

    def __hash__(self) -> int:
        CountedId.lookups += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def agree(ours: Collected, theirs: Collected) -> bool:
    """Two flows list the sources that both collect in the same order, in roles that are equal if both give one."""
    positions = [list(theirs).index(source) for source in ours if source in theirs]
    return all(a < b for a, b in pairwise(positions)) and all(
        None in (ours[source], theirs[source]) or ours[source] == theirs[source] for source in ours if source in theirs
    )


def collection(chance: random.Random) -> Collected:
    sources = chance.sample([f"s{number}" for number in range(8)], chance.randint(1, 3))
    return {source: chance.choice([None, None, "x", "y"]) for source in sources}


def test_the_verdict_is_that_of_a_comparison_with_each_flow() -> None:
    """The flows need not agree with each other, nor fit into one order: `ab`, `bc` and `ca` do not."""
    verdicts = {True: 0, False: 0}
    for seed in range(20):
        chance = random.Random(seed)
        relevant = {f"s{number}" for number in range(6)}
        flows = {str(number): collection(chance) for number in range(chance.randint(1, 6))}
        siblings = SiblingCollections(relevant)
        for flow_id, collected in flows.items():
            siblings.add(flow_id, collected)
        for _ in range(50):
            ours = {source: role for source, role in collection(chance).items() if source in relevant}
            expected = all(agree(ours, theirs) for theirs in flows.values())
            verdicts[expected] += 1
            if expected:
                siblings.check(ours, name_flow=True)
            else:
                with pytest.raises(Invalid) as raised:
                    siblings.check(ours, name_flow=True)
                named = re.search(r"flow (\d+) of the same source", raised.value.message)
                assert named is not None
                assert not agree(ours, flows[named[1]])
    assert min(verdicts.values()) > 100


def test_a_check_costs_the_members_of_the_flow_however_many_siblings_there_are() -> None:
    ours: Collected = {CountedId(f"s{number}"): None for number in range(10)}
    siblings = SiblingCollections(set(ours))
    for number in range(500):
        siblings.add(f"flow-{number}", {"s3": f"role {number}", "s4": None} if number % 2 else {"s5": None, "s9": None})
    CountedId.lookups = 0
    siblings.check(ours, name_flow=False)
    assert CountedId.lookups <= 5 * len(ours)


def test_a_conflict_is_reported_without_the_flow_for_those_who_may_not_know_it() -> None:
    siblings = SiblingCollections({"s1", "s2"})
    siblings.add("flow-1", {"s1": "left", "s2": None})
    for collected in ({"s2": None, "s1": None}, {"s1": "right"}):
        with pytest.raises(Invalid, match="another flow of the same source"):
            siblings.check(collected, name_flow=False)
