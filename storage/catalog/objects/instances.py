"""Instances on storage backends: their rows, and the names under which the backends know them."""

from storage.media.names import stored_name
from storage.tables.rows import InstanceRow


def controlled_instance(object_id: str, storage_id: str, extension: str, now: int) -> InstanceRow:
    """The row of an instance on a storage backend. now: microseconds since 1970."""
    return {
        "object_id": object_id,
        "instance": storage_id,
        "storage_id": storage_id,
        "created": now,
        "extension": extension,
    }


def instance_name(row: InstanceRow) -> str:
    """The name under which the storage backend knows an instance (storage.media.names)."""
    return stored_name(row["object_id"], row["extension"])
