"""What every part of the catalogue works with: the engine, the stores, the limits in force and the clock."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storage.errors import Invalid
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine

SECOND = 1_000_000
"""Moments of the calendar are counted in microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in items. object_grace_s is kept for objects beyond min_object_timeout_s, and for
    objects that lost their last segment before their bytes go."""

    min_object_timeout_s: int = 600
    min_presigned_url_timeout_s: int = 300
    object_grace_s: int = 60
    page_default: int = 100
    page_max: int = 1000
    storage_default: int = 10
    storage_max: int = 1000
    bulk_max: int = 10_000
    async_deletion_threshold: int = 1000
    deletion_batch: int = 1000
    deletion_lease_s: int = 60
    deletion_request_kept_s: int = 7 * 24 * 3600
    object_id_max_chars: int = 1024


def _clock() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Environment:
    """stores: by backend id, the default backend first. clock: microseconds since 1970."""

    engine: Engine
    stores: Mapping[str, ObjectStore]
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = _clock

    def store(self, storage_id: str, behaviour: str) -> ObjectStore:
        """The store of this backend. Raises Invalid, citing `behaviour`, where there is none."""
        store = self.stores.get(storage_id)
        if store is None:
            raise Invalid(
                f"storage_id {storage_id!r} is not a storage backend of this service",
                field="storage_id",
                behaviour=behaviour,
            )
        return store

    def store_labelled(self, label: str) -> ObjectStore | None:
        """The store whose backend has this label."""
        return next((store for store in self.stores.values() if store.backend.label == label), None)


def rfc3339(moment: int) -> str:
    """The date-time text of `moment` (microseconds since 1970), in UTC (GEN-07)."""
    return datetime.fromtimestamp(moment / SECOND, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
