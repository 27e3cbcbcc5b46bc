"""The creation of flows by POST: one or many in one request, each of which is created or not by itself (F5)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from storage import error_codes
from storage.catalog.access.creation import CreationRights
from storage.catalog.batch import Item, Outcome, check_number_of_items, exists, repeated, with_ids
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.event_journal import write_with_events
from storage.catalog.flows import flow_rules
from storage.catalog.flows.flow_deletion import find_restorable
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.new_flows import NewFlows
from storage.catalog.retry import retried
from storage.errors import AlreadyExists, Forbidden, Invalid, NotFound, TamsError
from storage.tables.conditions import In
from storage.tables.transaction import Reader


class FlowCreation:
    """Creates flows whose ids are free, by the rules of a PUT of each."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def create(self, caller: Caller, items: Sequence[Item]) -> list[Outcome]:
        """Create every flow that can be created, in one transaction. Returns what became of each item.

        A flow may collect others of the same request, in any order. It is created only if they are. As with PUT, flows
        that collect each other cannot be created together.

        items: documents that are valid by flow-put.json, of which each may leave out its id.

        Raises: Invalid if there are too many of them, or of what they collect.
        """
        limits = self._env.limits
        check_number_of_items(items, limits.batch_max, "flows")
        members = sum(len(item.get("flow_collection") or ()) for item in items)
        if members > limits.bulk_max:
            raise Invalid(
                f"the flows of one request may collect at most {limits.bulk_max} others in all, not {members}",
                code=error_codes.TOO_MANY_ITEMS,
                field="flow_collection",
            )
        return self._create(caller, with_ids(items))

    @retried
    def _create(self, caller: Caller, bodies: Sequence[Item]) -> list[Outcome]:
        errors = self._check_before_lock(caller, bodies)
        left = {number: body for number, body in enumerate(bodies) if number not in errors}
        created: list[dict[str, Any]] = []
        if left:
            with write_with_events(self._env) as (tx, journal):
                source_ids = {body["source_id"] for body in left.values()}
                tx.lock(*(f"flow:{body['id']}" for body in left.values()), *(f"source:{id_}" for id_ in source_ids))
                taken = _taken(tx, caller, [body["id"] for body in left.values()])
                errors |= {number: taken[body["id"]] for number, body in left.items() if body["id"] in taken}
                left = {number: body for number, body in left.items() if number not in errors}
                rights = CreationRights(tx, caller, source_ids)
                new = NewFlows(tx, self._env, caller, rights, list(left.values()))
                for number in members_first(left):
                    try:
                        new.add(left[number])
                    except (AlreadyExists, Forbidden, Invalid, NotFound) as error:
                        errors[number] = error
                created = new.write(journal)
        documents = {doc["id"]: doc for doc in created}
        return [errors.get(number) or documents[body["id"]] for number, body in enumerate(bodies)]

    def _check_before_lock(self, caller: Caller, bodies: Sequence[Item]) -> dict[int, TamsError]:
        """The errors of items that can be rejected without a lock, for which their caller could wait, by position."""
        errors: dict[int, TamsError] = {}
        with self._env.engine.read_once() as tx:
            rights = CreationRights(tx, caller, (body["source_id"] for body in bodies))
            taken = _taken(tx, caller, [body["id"] for body in bodies])
        seen: set[str] = set()
        for number, body in enumerate(bodies):
            try:
                rights.check(body["source_id"])
                flow_rules.check_body(body["id"], body)
            except (Forbidden, Invalid, NotFound) as error:
                errors[number] = error
            if body["id"] in seen:
                errors.setdefault(number, repeated("flow", body["id"]))
            elif body["id"] in taken:
                errors.setdefault(number, taken[body["id"]])
            seen.add(body["id"])
        return errors


def _taken(tx: Reader, caller: Caller, flow_ids: Sequence[str]) -> dict[str, TamsError]:
    """The errors for those of the ids that are not free.

    The error is the same for a flow that is hidden from the caller whether it exists or could be restored.
    """
    errors = {
        id_: exists(KIND, id_) if isinstance(error, NotFound) else error
        for id_, error in find_restorable(tx, caller, flow_ids).items()
    }
    existing = tx.select("flows", [In("id", flow_ids)], columns=["id"])
    return errors | {row["id"]: exists(KIND, row["id"]) for row in existing}


def members_first(bodies: Mapping[int, Item]) -> list[int]:
    """The keys of flows in an order in which each comes after those of the others that it collects.

    Of flows that collect each other, one comes before its members.
    """
    by_id = {body["id"]: number for number, body in bodies.items()}

    def members(number: int) -> Iterator[int]:
        items = bodies[number].get("flow_collection", ())
        return (by_id[item["id"]] for item in items if item["id"] in by_id)

    order: list[int] = []
    entered: set[int] = set()
    for number in bodies:
        path = [] if number in entered else [(number, members(number))]
        entered.add(number)
        while path:
            here, following = path[-1]
            member = next((each for each in following if each not in entered), None)
            if member is None:
                order.append(here)
                path.pop()
            else:
                entered.add(member)
                path.append((member, members(member)))
    return order
