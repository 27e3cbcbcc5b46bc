"""Profiles: technical metadata that is stored once and shared by many flows. They are never changed (PROF-*)."""

from collections.abc import Mapping
from typing import Any

from storage import error_codes
from storage.catalog.caller import Caller
from storage.catalog.clock import rfc3339
from storage.catalog.environment import Environment
from storage.catalog.paging import Order, Page, PageRequest, select_page
from storage.catalog.retry import retried
from storage.catalog.tags import check_tags
from storage.errors import Invalid, NotFound
from storage.preconditions import NO_RESOURCE, Preconditions
from storage.tables.conditions import equals
from storage.tables.limits import NAME, check_document, check_text, label_columns
from storage.tables.rows import ProfileRow
from storage.tables.transaction import Reader

TECHNICAL = (
    "format",
    "codec",
    "container",
    "avg_bit_rate",
    "segment_duration",
    "container_mapping",
    "essence_parameters",
)
"""The members that a profile may have, and sets on the flows that link to it (AN20)."""

_ORDER = Order(("unlabelled", "label", "id"))
_STORED = ("label", "description", "tags")


def get_row(tx: Reader, profile_id: str) -> ProfileRow | None:
    """The profile's row; None if there is no such profile."""
    return tx.get("profiles", id=profile_id)


class Profiles:
    """The profiles of the catalogue."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def page(self, filters: Mapping[str, str], request: PageRequest) -> Page:
        """A page of profiles, by label (PROF-LIST-01 to -05). filters: exact values of format, codec and label."""
        columns: dict[str, Any] = dict(filters)
        if "label" in columns:
            columns |= label_columns(columns["label"])
        where = list(equals(**columns))
        size = request.size(self._env.limits)
        with self._env.engine.read() as tx:
            rows, next_key = select_page(tx, "profiles", where, _ORDER, request, size)
        return Page([row["doc"] for row in rows], size, False, next_key)

    def get(self, profile_id: str) -> dict[str, Any]:
        """The profile's document (flow-profile.json). Raises: NotFound."""
        with self._env.engine.read_once() as tx:
            row = get_row(tx, profile_id)
        if row is None:
            raise NotFound(
                f"there is no profile {profile_id}",
                code=error_codes.PROFILE_NOT_FOUND,
                field="profile_id",
                behaviour="PROF-GET-01",
            )
        return dict(row["doc"])

    @retried
    def create(
        self, caller: Caller, profile_id: str, body: Mapping[str, Any], preconditions: Preconditions | None = None
    ) -> dict[str, Any]:
        """Create a profile, and return its document (PROF-POST-01 to -09).

        Raises: Invalid, also if the id is taken; PreconditionFailed.
        """
        if body["id"] != profile_id:
            raise Invalid(
                f"id must be {profile_id}, the id of the profile itself, not {body['id']!r}",
                code=error_codes.PROFILE_ID_MISMATCH,
                field="id",
                behaviour="PROF-POST-03",
            )
        metadata = body["flow_metadata"]
        not_technical = sorted(set(metadata) - set(TECHNICAL))
        if not_technical:
            raise Invalid(
                f"flow_metadata.{not_technical[0]} can be set on a flow only, not on a profile",
                code=error_codes.PROFILE_NOT_TECHNICAL,
                field=f"flow_metadata.{not_technical[0]}",
                behaviour="PROF-POST-09",
            )
        _check_sizes(body)
        now = self._env.clock()
        doc = {
            "id": profile_id,
            **{name: body[name] for name in _STORED if name in body},
            "created_by": body.get("created_by", caller.name),
            "created": rfc3339(now),
            "flow_metadata": metadata,
        }
        row: ProfileRow = {
            "id": profile_id,
            "format": metadata["format"],
            "codec": metadata["codec"],
            **label_columns(body.get("label")),
            "created": now,
            "doc": doc,
        }
        with self._env.engine.write() as tx:
            tx.lock(f"profile:{profile_id}")
            if get_row(tx, profile_id):
                raise Invalid(
                    f"profile {profile_id} already exists, and profiles cannot be changed",
                    code=error_codes.PROFILE_EXISTS,
                    field="profile_id",
                    behaviour="PROF-POST-02",
                )
            if preconditions is not None:
                preconditions.check_change(NO_RESOURCE)
            tx.insert("profiles", [row])
        return doc


def _check_sizes(body: Mapping[str, Any]) -> None:
    """Reject what is too long to be stored, and tags without a name. Raises: Invalid (docs/limits.md)."""
    check_text(body.get("created_by", ""), NAME, "created_by")
    for name in ("codec", "container"):
        check_text(body["flow_metadata"].get(name, ""), NAME, f"flow_metadata.{name}")
    check_tags(body.get("tags", {}))
    check_document(body, "profile")
