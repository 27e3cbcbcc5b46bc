"""The right to create sources, and flows of new sources or of sources that exist (AUTHZ-04)."""

from collections.abc import Iterable
from typing import Literal

from storage import error_codes
from storage.catalog.access.checks import not_found, not_permitted, permissions_on
from storage.catalog.access.class_rows import classes_of
from storage.catalog.access_rules import NONE, Permission
from storage.catalog.caller import Caller
from storage.catalog.tags import Tags
from storage.errors import Forbidden
from storage.tables.auth_classes import OWNERS
from storage.tables.conditions import In
from storage.tables.transaction import Reader


class CreationRights:
    """The right of a caller to create flows of some sources, each of which exists or is new.

    kind: of the sources that exist: those that are there, or those that are deleted and return with the flow.
    """

    def __init__(
        self,
        tx: Reader,
        caller: Caller,
        source_ids: Iterable[str],
        kind: Literal["source", "deleted_source"] = "source",
    ) -> None:
        self._caller = caller
        self._found: dict[str, frozenset[Permission]] = {}
        self._existing: set[str] = set()
        if caller.is_restricted:
            ids = sorted(set(source_ids))
            self._found = permissions_on(tx, caller, kind, ids)
            self._existing = {row["id"] for row in tx.select(OWNERS[kind], [In("id", ids)], columns=["id"])}

    def check(self, source_id: str) -> None:
        """Check that the caller may create a flow of this source.

        A caller that may not create sources gets the same error for a source that is hidden as for a new one.

        Raises: Forbidden; NotFound for a source that is hidden from a caller that may create others.
        """
        caller = self._caller
        if not caller.is_restricted:
            return
        may_create = caller.rules.may_create(caller.groups)
        found, exists = self._found.get(source_id, NONE), source_id in self._existing
        if "write" in found or (may_create and (not exists or caller.rules.creators_extend_sources)):
            return
        if found:
            raise not_permitted("source", source_id, "write")
        if may_create:
            raise not_found("source", source_id)
        raise Forbidden(
            "none of your groups may create a flow with a new source",
            code=error_codes.RIGHTS_CREATE,
            field="source_id",
            behaviour="AUTHZ-04",
        )

    def add_source(self, source_id: str, tags: Tags) -> None:
        """Take a source into account that has just been created, with these tags."""
        if self._caller.is_restricted:
            self._existing.add(source_id)
            self._found[source_id] = self._caller.permissions(classes_of(tags))


def check_may_create_sources(caller: Caller) -> None:
    """Check that the caller may create sources without flows. Raises: Forbidden."""
    if caller.is_restricted and not caller.rules.may_create(caller.groups):
        raise Forbidden(
            "none of your groups may create a source",
            code=error_codes.RIGHTS_CREATE,
            field="source_id",
            behaviour="AUTHZ-04",
        )
