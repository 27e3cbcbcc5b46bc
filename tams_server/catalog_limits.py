"""The limits and quotas of the catalogue, as the settings have them."""

from storage.catalog import Limits, StoredBytesQuota
from tams_server.quotas.quota_rules import read_quota_rules
from tams_server.settings import Settings


def stored_bytes_quota(settings: Settings) -> StoredBytesQuota | None:
    """The quota of the catalogue; None if nobody has one. Raises SettingsError for an unusable quota file."""
    rules = read_quota_rules(settings)
    if not rules.limit("stored_bytes"):
        return None
    exceptions = {principal: quotas.stored_bytes for principal, quotas in rules.exceptions.items()}
    return StoredBytesQuota(rules.default.stored_bytes, exceptions)


def limits_of(settings: Settings) -> Limits:
    """The limits of the catalogue."""
    return Limits(
        min_object_timeout_s=settings.min_object_timeout,
        min_presigned_url_timeout_s=settings.min_presigned_url_timeout,
        object_grace_s=settings.object_grace,
        page_default=settings.page_limit_default,
        page_max=settings.page_limit_max,
        storage_default=settings.storage_limit_default,
        storage_max=settings.storage_limit_max,
        async_deletion_threshold=settings.async_deletion_threshold,
        deletion_request_retention_s=settings.delete_request_retention,
        soft_delete_grace_s=settings.soft_delete_grace,
        empty_flow_retention_s=settings.empty_flow_retention,
        job_lease_s=settings.job_lease,
        violation_days=settings.compliance_days,
        webhook_give_up_s=settings.webhook_give_up,
        webhook_set_aside_s=settings.webhook_set_aside,
    )
