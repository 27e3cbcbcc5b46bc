"""Which events a webhook may be sent, by the rights of its owner at that moment (DLV-14, -15)."""

from storage.catalog.access.checks import find_permissions
from storage.catalog.access_rules import UNTAGGED
from storage.catalog.caller import Caller
from storage.catalog.event_journal import Subject
from storage.tables.auth_classes import OWNERS
from storage.tables.conditions import equals
from storage.tables.rows import TagOwner
from storage.tables.transaction import Reader


def may_receive(tx: Reader, owner: Caller, subject: Subject) -> bool:
    """Whether the owner may read the flow that an event is about, or else the source.

    One that has been deleted is judged by the classes that it had when the event was recorded, even if there is another
    with its id by now.
    """
    if not owner.may(["read"]):
        return False
    if not owner.is_restricted:
        return True
    kind: TagOwner = "source" if subject.flow_id is None else "flow"
    id_ = subject.flow_id or subject.source_id
    found = tx.select(OWNERS[kind], equals(id=id_), limit=1, columns=["created"])
    if found and subject.created in (None, found[0]["created"]):
        return "read" in find_permissions(tx, owner, kind, id_)
    return "read" in owner.permissions([UNTAGGED] if subject.classes is None else subject.classes)
