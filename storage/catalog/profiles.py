"""Profiles: technical metadata kept once, for many flows. They are made and never changed (PROF-*)."""

from collections.abc import Mapping
from typing import Any

from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.errors import Invalid, NotFound
from storage.tables.conditions import Compare, Condition, equals
from storage.tables.engine import Reader, Row

TECHNICAL = (
    "format",
    "codec",
    "container",
    "avg_bit_rate",
    "segment_duration",
    "container_mapping",
    "essence_parameters",
)
"""The members that a profile may hold, and that a flow then takes from it (AN20)."""

_ORDER = Order(("unlabelled", "label", "id"))
_KEPT = ("label", "description", "tags")


def find(tx: Reader, profile_id: str) -> Row | None:
    """The profile's row."""
    return tx.get("profiles", id=profile_id)


class Profiles:
    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, filters: Mapping[str, str], request: PageRequest) -> Page:
        """Profiles with these values of `format`, `codec` and `label`, by label (PROF-LIST-01 to -05)."""
        where: list[Condition] = [Compare(name, "==", value) for name, value in filters.items()]
        if "label" in filters:
            where += equals(unlabelled=False)
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "profiles", where, _ORDER, request, size)
        return Page([row["doc"] for row in rows], size, False, next_key)

    def get(self, profile_id: str) -> dict[str, Any]:
        with self._env.engine.read_once() as tx:
            row = find(tx, profile_id)
        if row is None:
            raise NotFound(f"there is no profile {profile_id}", field="profileId", behaviour="PROF-GET-01")
        return dict(row["doc"])

    @retried
    def create(self, caller: Caller, profile_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Store a profile under an id that is still free (PROF-POST-01 to -09)."""
        if body["id"] != profile_id:
            raise Invalid(
                f"id {body['id']!r} must equal the id in the path, {profile_id}", field="id", behaviour="PROF-POST-03"
            )
        metadata = body["flow_metadata"]
        spare = sorted(set(metadata) - set(TECHNICAL))
        if spare:
            raise Invalid(
                f"flow_metadata.{spare[0]} belongs to a flow, not to a profile",
                field=f"flow_metadata.{spare[0]}",
                behaviour="PROF-POST-09",
            )
        now = self._env.clock()
        doc = {
            "id": profile_id,
            **{name: body[name] for name in _KEPT if name in body},
            "created_by": body.get("created_by", caller.name),
            "created": rfc3339(now),
            "flow_metadata": metadata,
        }
        row = {
            "id": profile_id,
            "format": metadata["format"],
            "codec": metadata["codec"],
            "label": body.get("label", ""),
            "unlabelled": "label" not in body,
            "created": now,
            "doc": doc,
        }
        with self._env.engine.write() as tx:
            tx.lock(f"profile:{profile_id}")
            if find(tx, profile_id):
                raise Invalid(
                    f"profile {profile_id} exists already, and profiles never change",
                    field="profileId",
                    behaviour="PROF-POST-02",
                )
            tx.insert("profiles", [row])
        return doc
