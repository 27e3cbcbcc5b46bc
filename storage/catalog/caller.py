"""The caller of the catalogue: the principal to which every rule and every read applies."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.tables.conditions import Condition

SCOPES = ("read", "write", "delete", "admin")
"""The last parts of the scopes `tams-api/read` and so on (SCOPE-01)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal.

    name: the value for `created_by` and `updated_by`.
    scopes: a subset of SCOPES; "admin" implies the others.
    """

    name: str
    scopes: frozenset[str]

    def may(self, scopes: Iterable[str]) -> bool:
        """Whether the caller holds "admin" or any one of `scopes`."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def visible(self, kind: str) -> tuple[Condition, ...]:
        """Conditions that limit queries for resources of this kind ("flow", "source") to those visible to this caller.

        At present every caller who may read sees everything.
        """
        return ()
