"""Rules between settings."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tams_server.settings.declaration import LOG_LEVELS, Settings


def conflicts(s: Settings) -> Iterator[str]:
    """Check rules between settings, some of them from the specification (SVC-GET-06, TMO-01, TMO-04, TMO-06)."""
    if s.port > 65535:
        yield f"TAMS_PORT: {s.port} must be at most 65535"
    if s.min_object_timeout < s.min_presigned_url_timeout:
        yield "TAMS_MIN_OBJECT_TIMEOUT: must be at least TAMS_MIN_PRESIGNED_URL_TIMEOUT"
    for name in ("upload_url_timeout", "download_url_timeout"):
        if getattr(s, name) < s.min_presigned_url_timeout:
            yield f"TAMS_{name.upper()}: must be at least TAMS_MIN_PRESIGNED_URL_TIMEOUT"
    if s.unregistered_object_lifetime < s.upload_url_timeout:
        yield (
            "TAMS_UPLOAD_URL_TIMEOUT: must be at most TAMS_MIN_OBJECT_TIMEOUT plus TAMS_OBJECT_GRACE,"
            " or an upload could outlive its object"
        )
    yield from _process_conflicts(s)
    yield from _login_conflicts(s)
    if (s.tls_cert is None) != (s.tls_key is None):
        yield "TAMS_TLS_CERT and TAMS_TLS_KEY: both must be set, or neither"
    for limits in ("page_limit", "storage_limit"):
        if getattr(s, f"{limits}_default") > getattr(s, f"{limits}_max"):
            yield f"TAMS_{limits.upper()}_DEFAULT: must be at most TAMS_{limits.upper()}_MAX"
    if s.trace_share > 1:
        yield f"TAMS_TRACE_SHARE: {s.trace_share:g} must be at most 1"
    if s.otlp_endpoint is not None and urlsplit(s.otlp_endpoint).scheme not in ("http", "https"):
        yield "TAMS_OTLP_ENDPOINT: must be an http or https URL"
    if s.log_level.upper() not in LOG_LEVELS:
        yield f"TAMS_LOG_LEVEL: {s.log_level!r} must be one of {', '.join(LOG_LEVELS)}"


def _login_conflicts(s: Settings) -> Iterator[str]:
    """Check the settings of those who log in."""
    if s.bootstrap_basic is not None and not all(s.bootstrap_basic.partition(":")[::2]):
        yield "TAMS_BOOTSTRAP_BASIC: must be user:password"
    if s.docs_client_id is not None and (s.docs_issuer or s.jwt_issuer) is None:
        yield "TAMS_DOCS_CLIENT_ID: needs TAMS_DOCS_ISSUER or TAMS_JWT_ISSUER, where people log in"


def _process_conflicts(s: Settings) -> Iterator[str]:
    """Check the settings of processes: of background workers, and of those that serve requests."""
    if s.metrics_listen is not None and s.metrics_token is not None:
        yield "TAMS_METRICS_LISTEN and TAMS_METRICS_TOKEN: only one of them may be set"
    if s.body_memory < 2 * s.max_body_bytes:
        yield "TAMS_BODY_MEMORY: must be at least twice TAMS_MAX_BODY_BYTES, for a body and what it decodes to"
    if s.job_lease < 2 * s.webhook_timeout:
        yield "TAMS_JOB_LEASE: must be at least twice TAMS_WEBHOOK_TIMEOUT, or a delivery could outlive its lease"
