"""The caller of the catalogue: the principal to which every rule and every read applies."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from storage.catalog.access_rules import ALL, NO_RULES, AccessRules, Permission, Reach, reach_of
from storage.tables.conditions import Condition, Exists, In, equals

SCOPES = ("read", "write", "delete", "admin")
"""The last parts of the scopes `tams-api/read` and so on (SCOPE-01)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated principal.

    name: the value for `created_by` and `updated_by`.
    scopes: a subset of SCOPES; "admin" implies the others.
    groups: those that its credential names, for rules on classes (AUTHZ-*).
    rules: what these groups may do. Set by `storage.catalog.Catalog.apply_rules`, once a credential is verified.
    """

    name: str
    scopes: frozenset[str]
    groups: frozenset[str] = frozenset()
    rules: AccessRules = field(default=NO_RULES, repr=False)

    def may(self, scopes: Iterable[str]) -> bool:
        """Whether the caller holds "admin" or any one of `scopes`."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    @property
    def is_restricted(self) -> bool:
        """Whether classes decide what the caller may do, besides its scopes."""
        return self.rules.enabled and "admin" not in self.scopes and not self.rules.is_admin(self.groups)

    @property
    def reach(self) -> Reach:
        """What the classes of resources mean for a caller that is restricted."""
        return reach_of(self.rules, self.groups)

    def permissions(self, classes: Iterable[str]) -> frozenset[Permission]:
        """The permissions on a resource with these classes (storage.catalog.access_rules)."""
        return self.reach.permissions(classes) if self.is_restricted else ALL

    def visible(self, kind: str, outer: str = "id", permission: Permission = "read") -> tuple[Condition, ...]:
        """Conditions that limit queries to resources of this kind on which the caller has a permission.

        kind: "flow", "source" or "webhook". outer: the column of the queried table that has their ids.
        """
        if not self.is_restricted:
            return ()
        allowing, denying = self.reach.allowing[permission], self.reach.denying[permission]
        found = [Exists("classes", "owner_id", outer, (*equals(kind=kind), In("name", sorted(allowing))))]
        if denying:
            denied = (*equals(kind=kind), In("name", sorted(denying)))
            found.append(Exists("classes", "owner_id", outer, denied, present=False))
        return tuple(found)
