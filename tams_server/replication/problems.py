"""What stands in the way of a replica, in words for an operator."""


class Problem(Exception):
    """Something that leaves the replica incomplete; the rest is replicated all the same.

    kind: how it is reported. The text says what differs and what can be done.
    """

    kind = "failed"


class Conflict(Problem):
    """TO has something of its own in the place, which is never overwritten."""

    kind = "conflict"


class Postponed(Problem):
    """It is not possible yet; the same command does it later."""

    kind = "postponed"


class Damaged(Problem):
    """Bytes that are not what a server said they are."""

    kind = "damaged"
