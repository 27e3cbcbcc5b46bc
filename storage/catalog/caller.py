"""Who asks: the principal that every rule and every read of the catalogue is given."""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.tables.conditions import Condition

SCOPES = ("read", "write", "delete", "admin")
"""The last words of the scopes `tams-api/read` and so on (SCOPE-01)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal.

    name: what `created_by` and `updated_by` are set to.
    scopes: some of SCOPES; "admin" implies the others.
    """

    name: str
    scopes: frozenset[str]

    def may(self, scopes: Iterable[str]) -> bool:
        """Whether any one of `scopes`, or "admin", is held."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def visible(self, kind: str) -> tuple[Condition, ...]:
        """Conditions that narrow every query for `kind` ("flow", "source", ...) to what this caller may know of.

        Today everybody who may read sees everything.
        """
        return ()
