"""The bytes that principals have stored: counted in the catalogue, in the transactions that change what is counted.

An instance on a storage backend is charged to the principal that allocated its object, or that had it copied, once its
size is known: at the end of an upload to this server, when a verified upload is registered, and at the end of a copy.
It is discharged when the catalogue forgets it. So `usage` holds for each principal the sum of what is charged for its
instances, whether there is a quota at the time or not.

Transactions that change a principal's usage run one after another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.catalog.environment import Environment
from storage.errors import Contended, QuotaExceeded
from storage.tables.conditions import In, equals
from storage.tables.rows import InstanceRow
from storage.tables.transaction import Reader, Writer


@dataclass(frozen=True, slots=True)
class Charge:
    """The size of an instance, in bytes, and whom to charge for it."""

    object_id: str
    storage_id: str
    principal: str
    size: int


@dataclass(frozen=True, slots=True)
class PrincipalUsage:
    """The bytes that a principal has stored, and how many it may have; None for no limit."""

    principal: str
    stored_bytes: int
    quota: int | None


class Usage:
    """The usage of all principals."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def list_all(self) -> list[PrincipalUsage]:
        """Return the usage of every principal that something has been charged to, the greatest first."""
        quota = self._env.stored_bytes_quota
        with self._env.engine.read_once() as tx:
            rows = tx.select("usage")
        rows.sort(key=lambda row: (-row["bytes"], row["principal"]))
        quotas = [quota.of(row["principal"]) if quota else None for row in rows]
        return [PrincipalUsage(row["principal"], row["bytes"], most) for row, most in zip(rows, quotas, strict=True)]


def usage_lock(principal: str) -> str:
    """The name that transactions lock which change the usage of a principal."""
    return f"usage:{principal}"


def remaining_bytes(tx: Reader, env: Environment, principal: str | None) -> int | None:
    """Return how many bytes a principal may still store; None for no limit. principal: None if it is unknown."""
    quota = env.stored_bytes_quota.of(principal) if env.stored_bytes_quota and principal is not None else None
    if quota is None:
        return None
    row = tx.get("usage", principal=principal)
    return max(0, quota - (row["bytes"] if row else 0))


def require_remaining_bytes(tx: Reader, env: Environment, principal: str) -> None:
    """Raises: QuotaExceeded if a principal has used its quota."""
    if remaining_bytes(tx, env, principal) == 0:
        raise quota_exceeded(principal)


def quota_exceeded(principal: str) -> QuotaExceeded:
    return QuotaExceeded(
        f"{principal} would exceed its quota of stored bytes: delete segments or flows that use its objects, and wait"
        " until these have been removed"
    )


def charge(tx: Writer, env: Environment, charges: Sequence[Charge], *, enforce: bool = True) -> None:
    """Charge the sizes of instances, in place of what they are charged so far. Does nothing if there is no quota.

    Call it after the last other lock of the transaction. charges: of objects that the principals have allocated.
    enforce: reject what exceeds a quota.
    Raises: QuotaExceeded; Contended if an instance has just been removed.
    """
    if env.stored_bytes_quota is None or not charges:
        return
    tx.lock(*sorted({usage_lock(each.principal) for each in charges}))
    # Writing the rows of the objects makes this transaction conflict with the removal of one of them.
    owners = [{"id": each.object_id, "owner": each.principal} for each in charges]
    if tx.update_rows("objects", owners) != len(owners):
        raise _just_removed()
    wanted = {(each.object_id, each.storage_id): each for each in charges}
    rows = tx.select("instances", [In("object_id", sorted({each.object_id for each in charges}))])
    found = [row for row in rows if (row["object_id"], row["instance"]) in wanted]
    changes = [_charged(wanted[row["object_id"], row["instance"]]) for row in found]
    if tx.update_rows("instances", changes) != len(wanted):
        raise _just_removed()
    added = Counter[str]()
    for each in charges:
        added[each.principal] += each.size
    added.subtract(_charged_bytes(found))
    for principal, more in added.items():
        left = remaining_bytes(tx, env, principal) if enforce and more > 0 else None
        if left is not None and more > left:
            raise quota_exceeded(principal)
    _add(tx, added)


def charge_new(tx: Writer, env: Environment, instance: InstanceRow, principal: str) -> InstanceRow:
    """Charge a new instance whose bytes are there already, whatever the quota. Returns the row to insert."""
    size = instance.get("size")
    if env.stored_bytes_quota is None or size is None:
        return instance
    _add(tx, {principal: size})
    return {**instance, "charged_to": principal, "charged_bytes": size}


def discharge(tx: Writer, rows: Iterable[InstanceRow]) -> None:
    """Subtract what instances are charged that this transaction deletes. Call it after its last other lock."""
    _add(tx, {principal: -size for principal, size in _charged_bytes(rows).items()})


def _just_removed() -> Contended:
    return Contended("an object has just been removed by garbage collection; try again")


def _charged(each: Charge) -> Mapping[str, object]:
    return {
        "object_id": each.object_id,
        "instance": each.storage_id,
        "charged_to": each.principal,
        "charged_bytes": each.size,
    }


def _charged_bytes(rows: Iterable[InstanceRow]) -> Counter[str]:
    """The bytes that are charged for instances, by principal."""
    charged = Counter[str]()
    for row in rows:
        if row["charged_to"] is not None:
            charged[row["charged_to"]] += row["charged_bytes"] or 0
    return charged


def _add(tx: Writer, changes: Mapping[str, int]) -> None:
    """Add to the usage of principals."""
    changed = sorted(principal for principal, bytes_ in changes.items() if bytes_)
    if not changed:
        return
    tx.lock(*map(usage_lock, changed))
    known = {row["principal"]: row["bytes"] for row in tx.select("usage", [In("principal", changed)])}
    for principal in changed:
        total = known.get(principal, 0) + changes[principal]
        if principal in known:
            tx.update("usage", equals(principal=principal), {"bytes": total})
        else:
            tx.insert("usage", [{"principal": principal, "bytes": total, "recounted": 0}])
