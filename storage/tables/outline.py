"""Outlines: coarse spans around the content ranges of flows, indexed as a relational interval tree.

An index on the content range itself would be written with every segment. The outline is a little wider, so that it
changes seldom. Every span belongs to one node of a fixed binary tree over all of int64, the highest that lies in it: a
node is a point in time, and the lower it is, the smaller is the part of the timeline that its subtree covers. The spans
that overlap a given one are those of the nodes in it, and some of those of the at most 128 nodes above its ends.

(Kriegel, Pötke, Seidl: Managing Intervals Efficiently in Object-Relational Databases, VLDB 2000.)
"""

from storage.tables.conditions import Compare, Condition, In

NODE, START, END = COLUMNS = ("outline_node", "outline_start", "outline_end")
"""Columns of a flow's row."""
EMPTY_NODE = 2**63 - 1
"""The node of flows without segments. No other span has it."""

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LEVELS = 64
_LARGEST_STEP = 36
"""Bounds are rounded to 2**36 ns, about 69 s, or less: a live flow of one-second segments changes its outline with one
segment in 69."""


def outline_columns(start: int, end: int) -> dict[str, int]:
    """The columns of a flow's row that hold the outline of the content range [start, end), in ns."""
    if start == end:
        return {NODE: EMPTY_NODE, START: 0, END: 0}
    # Short content is rounded to less, between a quarter and an eighth of its length.
    step = min(max((end - start).bit_length() - 3, 0), _LARGEST_STEP)
    first = max(start >> step << step, _LOWEST)
    last = min(-(-end >> step) << step, _HIGHEST)
    return {NODE: node_of(first, last), START: first, END: last}


def node_of(start: int, end: int) -> int:
    """The highest node in [start, end), which must not be empty."""
    # Nodes are counted from 1. The highest in a span is the last with the most zeros at its end.
    lower, upper = start - _LOWEST, end - _LOWEST
    level = (lower ^ upper).bit_length() - 1
    return (upper >> level << level) - 1 + _LOWEST


def overlapping(start: int, end: int) -> tuple[tuple[Condition, ...], ...]:
    """Conditions on flows of which each flow whose outline overlaps [start, end) meets exactly one. start < end."""
    before, after = _nodes_above(start, end)
    return (
        (Compare(NODE, ">=", start), Compare(NODE, "<", end)),
        (In(NODE, before), Compare(END, ">", start)),
        (In(NODE, after), Compare(START, "<", end)),
    )


def without_content() -> tuple[Condition, ...]:
    """The conditions that flows without content meet, and no others."""
    return (Compare(NODE, "==", EMPTY_NODE),)


def _nodes_above(start: int, end: int) -> tuple[list[int], list[int]]:
    """The nodes before and after [start, end) whose subtrees reach into it."""
    before, after = set(), set()
    for place in (start, end - 1):
        counted = place - _LOWEST + 1
        for level in range(_LEVELS):
            node = (counted >> level + 1 << level + 1 | 1 << level) - 1 + _LOWEST
            if _LOWEST <= node < start:
                before.add(node)
            elif end <= node < EMPTY_NODE:
                after.add(node)
    return sorted(before), sorted(after)
