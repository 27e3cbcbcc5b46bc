"""What every part of the catalogue works with: the engine, the stores, the limits in force and the clock."""

import functools
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import ParamSpec, TypeVar

from storage.catalog.remote_servers import NoOutbound, Outbound
from storage.errors import Conflict, Contended, Invalid
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine

P = ParamSpec("P")
T = TypeVar("T")

SECOND = 1_000_000
"""Moments of the calendar are counted in microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in items. object_grace_s is kept for objects beyond min_object_timeout_s, and for
    objects that lost their last segment before their bytes go. A job that failed job_attempts times is not tried again;
    webhook_give_up_s: how long deliveries to a webhook may fail before it goes to `error`."""

    min_object_timeout_s: int = 600
    min_presigned_url_timeout_s: int = 300
    object_grace_s: int = 60
    page_default: int = 100
    page_max: int = 1000
    storage_default: int = 10
    storage_max: int = 1000
    bulk_max: int = 10_000
    async_deletion_threshold: int = 1000
    deletion_batch: int = 100
    removal_batch: int = 200
    collection_batch: int = 200
    job_lease_s: int = 30
    job_attempts: int = 50
    webhook_give_up_s: int = 24 * 3600
    deletion_request_kept_s: int = 7 * 24 * 3600
    object_id_max_chars: int = 1024
    url_max_chars: int = 8192
    label_max_chars: int = 1024


def _clock() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Environment:
    """stores: by backend id, the default backend first. clock: microseconds since 1970. outbound: how this service
    reaches others."""

    engine: Engine
    stores: Mapping[str, ObjectStore]
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = _clock
    outbound: Outbound = NoOutbound()

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


_TRIES = 8
_PATIENCE_S = 10.0
_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25


def retried(method: Callable[P, T]) -> Callable[P, T]:
    """For a method that is one transaction, or whose transactions may each be repeated: calls it again, after a short
    random pause, where another writer got in between. Raises Contended where that goes on for longer than anybody
    should wait, and Conflict after some tries."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + _PATIENCE_S
        for attempt in count(1):
            try:
                return method(*args, **kwargs)
            except (Contended, Conflict) as error:
                if attempt >= _TRIES and (isinstance(error, Conflict) or time.monotonic() > deadline):
                    raise
                longest = min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** min(attempt, _TRIES))
                time.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    return call
