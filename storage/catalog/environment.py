"""What every part of the catalogue shares: the engine, the stores, the limits, the clock and outbound access."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from storage import error_codes
from storage.catalog.access_rules import NO_RULES, AccessRules
from storage.catalog.clock import clock
from storage.catalog.remote_servers import NoOutbound, Outbound
from storage.errors import Invalid
from storage.media.object_store import ObjectStore
from storage.tables.engine import Engine


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in force. Names ending in `_s` are seconds; all others count items.

    object_grace_s: how long objects outlive min_object_timeout_s, and how long bytes outlive the last reference to
        their object.
    job_attempts: failures after which a job is not retried automatically.
    bulk_max, batch_max: segments, and flows or sources, of one request.
    instances_max: uncontrolled URLs of one object. list_max: items of each list in a webhook.
    webhook_give_up_s: how long deliveries to a webhook may keep failing before its status becomes `error`.
    webhook_set_aside_s: how long a receiver may reject one event before the events after it are sent.
    deletion_request_retention_s: how long a flow delete request is kept after it was made, or until done.
    soft_delete_grace_s: how long a deleted flow can be restored; 0 for not at all.
    violation_days: for how many days counts of requests that broke the schemas are kept.
    empty_flow_retention_s: how long a flow without content outlives its last change; None for ever.
    """

    min_object_timeout_s: int = 600
    min_presigned_url_timeout_s: int = 300
    object_grace_s: int = 60
    page_default: int = 100
    page_max: int = 1000
    storage_default: int = 10
    storage_max: int = 1000
    bulk_max: int = 10_000
    batch_max: int = 1000
    async_deletion_threshold: int = 1000
    deletion_batch: int = 100
    removal_batch: int = 200
    garbage_batch: int = 200
    job_lease_s: int = 30
    job_attempts: int = 50
    webhook_give_up_s: int = 24 * 3600
    webhook_set_aside_s: int = 3600
    deletion_request_retention_s: int = 7 * 24 * 3600
    soft_delete_grace_s: int = 0
    empty_flow_retention_s: int | None = None
    violation_days: int = 30
    instances_max: int = 100
    list_max: int = 500

    @property
    def unregistered_object_s(self) -> int:
        """How long an object that no segment uses is kept."""
        return self.min_object_timeout_s + self.object_grace_s


@dataclass(frozen=True, slots=True)
class StoredBytesQuota:
    """How many bytes each principal may have stored; None for no limit. exceptions: by principal."""

    default: int | None
    exceptions: Mapping[str, int | None] = field(default_factory=dict)

    def of(self, principal: str) -> int | None:
        return self.exceptions.get(principal, self.default)


@dataclass(frozen=True, slots=True)
class Environment:
    """stores: by backend id, the default backend first. clock: returns microseconds since 1970. outbound: access to
    other servers. verify_uploads: whether segments are registered only if the bytes of their objects have arrived.
    describe_sources: whether a new source takes label, description and tags of its first flow.
    stored_bytes_quota: None if the bytes that principals store are not counted. access: who may do what."""

    engine: Engine
    stores: Mapping[str, ObjectStore]
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = clock
    outbound: Outbound = NoOutbound()
    verify_uploads: bool = False
    describe_sources: bool = True
    stored_bytes_quota: StoredBytesQuota | None = None
    access: AccessRules = NO_RULES

    def store(self, storage_id: str, behaviour: str) -> ObjectStore:
        """Return the store of a storage backend.

        Raises: Invalid, citing `behaviour`, for an unknown id.
        """
        store = self.stores.get(storage_id)
        if store is None:
            raise self.unknown_backend(storage_id, behaviour)
        return store

    def unknown_backend(self, storage_id: str, behaviour: str) -> Invalid:
        return Invalid(
            f"storage_id {storage_id!r} is not a storage backend of this service",
            code=error_codes.BACKEND_UNKNOWN,
            field="storage_id",
            behaviour=behaviour,
        )

    def store_labelled(self, label: str) -> ObjectStore | None:
        """Return the store whose backend has this label, if there is one."""
        return next((store for store in self.stores.values() if store.backend.label == label), None)
