"""What the owners of webhooks may read, at the moment at which an event is sent (DLV-14).

The owner of a webhook is the principal that made or last changed it. The groups of a principal with a credential in
this catalogue are those of its credentials that are valid now. Those of a principal of another issuer are not known
here: they are remembered from its last valid token, as long as it owns a webhook.
"""

from typing import Any

from storage.catalog.access_rules import AccessRules
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.tables.conditions import equals
from storage.tables.rows import PrincipalRow
from storage.tables.transaction import Reader, Writer

_SCOPE_PREFIX = "tams-api/"
_OBSERVED = 10_000
"""Callers that a process knows not to have changed."""
_KNOWN_FOR = 10 * SECOND
"""For how long it knows that, in microseconds: another process may have seen another token of the same principal."""


def owner_of(tx: Reader, rules: AccessRules, name: str, now: int) -> Caller:
    """The owner of a webhook as a caller, without any rights if nothing is known of it. now: microseconds."""
    credentials = tx.select("credentials", equals(name=name))
    groups: set[str] = set()
    scopes: set[str] = set()
    for row in credentials:
        if _is_valid(row, now):
            groups |= set((row.get("groups") or "").split("\n")) - {""}
            scopes |= set(row["scopes"].split())
    if not credentials:
        known = tx.get("principals", name=name)
        if known is not None:
            groups, scopes = set(known["groups"]), set(known["scopes"].split())
    short = frozenset(scope.removeprefix(_SCOPE_PREFIX) for scope in scopes)
    return Caller(name, short, frozenset(groups), rules)


def _is_valid(row: Any, now: int) -> bool:
    return row.get("revoked") is None and (row["expires"] is None or row["expires"] > now)


def remember_owner(tx: Writer, rules: AccessRules, caller: Caller, now: int) -> None:
    """Remember the groups and scopes of a caller that owns a webhook, unless it has a credential here."""
    if rules.enabled and not tx.select("credentials", equals(name=caller.name), limit=1, columns=["id"]):
        tx.delete("principals", equals(name=caller.name))
        tx.insert("principals", [_row(caller, now)])


def forget_owner(tx: Writer, rules: AccessRules, name: str) -> None:
    """Forget a principal that owns no webhook any more."""
    if rules.enabled and not tx.select("webhooks", equals(owner=name), limit=1, columns=["id"]):
        tx.delete("principals", equals(name=name))


class Owners:
    """Keeps what is remembered of owners up to date."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._observed: dict[str, tuple[Caller, int]] = {}

    def is_new(self, caller: Caller) -> bool:
        """Whether the groups or scopes of a verified caller differ from those seen in this process just before."""
        if not self._env.access.enabled:
            return False
        known, seen = self._observed.get(caller.name, (None, 0))
        if known is None or not 0 <= self._env.clock() - seen < _KNOWN_FOR:
            return True
        return (known.groups, known.scopes) != (caller.groups, caller.scopes)

    @retried
    def observe(self, caller: Caller) -> None:
        """Update what is remembered of a caller whose credential has just been verified, if it owns a webhook."""
        row = _row(caller, self._env.clock())
        with self._env.engine.read_once() as tx:
            known = tx.get("principals", name=caller.name)
            # There may have been no rules when the webhook was made.
            owns = known is not None or tx.select("webhooks", equals(owner=caller.name), limit=1, columns=["id"])
        if owns and (known is None or (known["groups"], known["scopes"]) != (row["groups"], row["scopes"])):
            with self._env.engine.write() as tx:
                remember_owner(tx, self._env.access, caller, row["seen"])
        if len(self._observed) >= _OBSERVED:
            self._observed = {}
        self._observed[caller.name] = caller, row["seen"]


def _row(caller: Caller, now: int) -> PrincipalRow:
    scopes = " ".join(sorted(_SCOPE_PREFIX + scope for scope in caller.scopes))
    return {"name": caller.name, "groups": sorted(caller.groups), "scopes": scopes, "seen": now}
