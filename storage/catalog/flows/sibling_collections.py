"""The collections of the flows of one source, merged, so that a check costs the members of the checked flow only."""

from collections.abc import Mapping, Set

from storage import error_codes
from storage.errors import Invalid


class SiblingCollections:
    """What the flows of one source collect, to check further flows of this source against (FLOW-SRC-03).

    relevant: the sources that the flows to be checked may collect. Nothing is kept of others, which cannot conflict.
    """

    def __init__(self, relevant: Set[str]) -> None:
        self._bits = {source: number for number, source in enumerate(sorted(relevant))}
        self._seen: set[tuple[tuple[str, str | None], ...]] = set()
        self._later: dict[str, int] = {}
        """For each source, the set of those that a flow lists after it, with a bit for each."""
        self._positions: dict[str, dict[str, int]] = {}
        """For each source, its position by flow."""
        self._roles: dict[str, dict[str, str]] = {}
        """For each source, its roles, with the first flow that gives it this one."""

    def add(self, flow_id: str, collected: Mapping[str, str | None]) -> None:
        """Add the collection of a flow. Flows of one source mostly have equal ones, of which one is enough.

        collected: the sources that it collects, in order, with their roles.
        """
        members = tuple((source, role) for source, role in collected.items() if source in self._bits)
        if members in self._seen:
            return
        self._seen.add(members)
        later = 0
        for position, (source, role) in reversed(list(enumerate(members))):
            self._later[source] = self._later.get(source, 0) | later
            later |= 1 << self._bits[source]
            self._positions.setdefault(source, {})[flow_id] = position
            if role is not None:
                self._roles.setdefault(source, {}).setdefault(role, flow_id)

    def check(self, collected: Mapping[str, str | None], *, name_flow: bool) -> None:
        """Reject an order or a role that conflicts with one of the flows.

        collected: as for `add`; all of them relevant. name_flow: name that flow in the error.

        Raises: Invalid (FLOW-SRC-03).
        """
        earlier = 0
        for source in collected:
            if earlier & self._later.get(source, 0):
                other = self._flow_with_other_order(source, collected)
                raise _conflict(f"lists sources in a different order from {_name(other, name_flow)} of the same source")
            earlier |= 1 << self._bits[source]
        for source, role in collected.items():
            roles = self._roles.get(source, {})
            if role is None or not roles or (role in roles and len(roles) == 1):
                continue
            theirs, other = next((name, flow_id) for name, flow_id in roles.items() if name != role)
            raise _conflict(
                f"gives source {source} the role {role!r}, but {_name(other, name_flow)} of the same source"
                f" gives it {theirs!r}"
            )

    def _flow_with_other_order(self, source: str, collected: Mapping[str, str | None]) -> str:
        """The id of a flow that lists this source before one that `collected` has before it."""
        later = self._later[source]
        other = next(each for each in collected if later >> self._bits[each] & 1)
        theirs = self._positions[other]
        return next(id_ for id_, position in self._positions[source].items() if theirs.get(id_, -1) > position)


def _name(flow_id: str, name_flow: bool) -> str:
    return f"flow {flow_id}" if name_flow else "another flow"


def _conflict(what: str) -> Invalid:
    return Invalid(
        f"flow_collection {what}",
        code=error_codes.COLLECTION_DIFFERS,
        field="flow_collection",
        behaviour="FLOW-SRC-03",
    )
