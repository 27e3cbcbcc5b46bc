"""Every setting, with its default and what it means."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tams_server.addresses import plain_host
from tams_server.settings.values import (
    one_of,
    parse_authorisation,
    parse_listen,
    parse_networks,
    parse_new_source_metadata,
    parse_origins,
    parse_public_url,
)

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


def _setting(
    default: Any,
    help_: str,
    *,
    secret: bool = False,
    minimum: float | None = None,
    parse: Callable[[str], str] | None = None,
) -> Any:
    """parse: normalises and checks a text, and raises ValueError with the rule that it violates."""
    return field(default=default, metadata={"help": help_, "secret": secret, "minimum": minimum, "parse": parse})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Times are in seconds, sizes in bytes. The defaults serve from one folder on one machine."""

    data_dir: Path = _setting(Path("tams-data"), "folder of the embedded catalogue and media store")
    expect_installation: str | None = _setting(
        None, "id of the installation that must exist at start, or existing for any; unset: a new one may be made"
    )
    database_url: str | None = _setting(
        None, "database of the catalogue; unset: SQLite in the data folder", secret=True
    )
    vast_secret: str | None = _setting(None, "secret key for the VAST cluster of the catalogue", secret=True)
    enable_table_projections: bool = _setting(False, "create the projections of VAST tables at start")
    host: str = _setting("0.0.0.0", "address to listen on", parse=plain_host)
    port: int = _setting(4010, "port to listen on", minimum=0)
    workers: int | None = _setting(None, "processes that serve requests; unset: one per core, at most 8", minimum=1)
    threads: int | None = _setting(None, "threads of each process for requests; unset: 8, or 32 on VAST", minimum=1)
    public_url: str | None = _setting(
        None, "URL of this server as clients see it; unset: derived from each request", parse=parse_public_url
    )
    trust_proxy: bool = _setting(
        False, "trust X-Forwarded-For, -Proto, -Host, -Port and -Prefix, or Forwarded for the last four"
    )
    api_dir: Path | None = _setting(None, "folder with another copy of the API specification to serve")
    bootstrap_token: str | None = _setting(None, "token with full access, created at start", secret=True)
    bootstrap_basic: str | None = _setting(None, "user:password with full access, created at start", secret=True)
    auth: str = _setting(
        "on",
        "off: requests without credentials are permitted everything; only where the server listens on loopback alone",
        parse=one_of("on", "off"),
    )
    url_tokens: bool = _setting(True, "accept tokens in URLs (access_token)")
    tls_cert: Path | None = _setting(None, "file of the certificate, with its chain (PEM); unset: no TLS")
    tls_key: Path | None = _setting(None, "file of its private key (PEM), which others must not be able to read")
    issuers: Path | None = _setting(None, "file that describes the issuers whose tokens are accepted; unset: none")
    jwt_issuer: str | None = _setting(None, "issuer whose tokens are accepted, as in their claim iss; unset: none")
    jwt_name: str = _setting("sso", "begins the names of callers with tokens of that issuer")
    jwt_audience: str | None = _setting(
        None, "audience that tokens of that issuer must name (aud); unset: it is not compared"
    )
    jwt_jwks_url: str | None = _setting(None, "URL of the keys of that issuer; unset: found by OpenID discovery")
    jwt_groups_claim: str = _setting("groups", "dotted path of the claim with the groups of callers")
    jwt_principal_claim: str = _setting("sub", "claim that names the caller")
    token_lifetime: int = _setting(3600, "lifetime of the tokens that POST /oauth2/token issues", minimum=60)
    docs_client_id: str | None = _setting(
        None, "client that people log in with at /docs and /console (authorisation code with PKCE); unset: none"
    )
    docs_issuer: str | None = _setting(
        None, "issuer that they log in at; unset: TAMS_JWT_ISSUER", parse=parse_public_url
    )
    docs_origins: str = _setting(
        "",
        "further origins that /docs may connect to, such as that of the issuer's token endpoint",
        parse=parse_origins,
    )
    console_origins: str = _setting(
        "",
        "further origins that /console may load media from, besides this server and its storage backends",
        parse=parse_origins,
    )
    service_name: str | None = _setting(None, "name of the service until POST /service sets another")
    storage_backends: Path | None = _setting(
        None, "file that describes the storage backends; unset: one backend in the data folder"
    )
    authorisation: str = _setting(
        "off",
        "who may use which resource: everyone with the scope (off), or by auth_classes (classes)",
        parse=parse_authorisation,
    )
    authorisation_rules: Path | None = _setting(None, "file with the rules for auth_classes; unset: all defaults")
    new_source_metadata: str = _setting(
        "flow",
        "where a new source takes label, description and tags from: its first flow (flow), or nowhere (none)",
        parse=parse_new_source_metadata,
    )
    backend_label: str = _setting("default", "label of the embedded storage backend")
    request_head_timeout: float = _setting(30, "time within which the head of a request must be complete", minimum=0.1)
    max_connections: int = _setting(1000, "open connections of each process that serves requests", minimum=1)
    max_connections_per_address: int | None = _setting(
        None, "open connections of each process from one address; unset: unlimited", minimum=1
    )
    min_rate: int = _setting(
        1024, "bytes per second that a client must send of a body, or take of a response, on average", minimum=0
    )
    min_rate_window: float = _setting(
        60, "time over which that average is taken; for JSON bodies 30 at most", minimum=0.1
    )
    rate_limit: int | None = _setting(
        None, "requests per second of each caller, on average; unset: unlimited", minimum=1
    )
    rate_limit_per_address: int | None = _setting(
        None, "requests per second from each address, on average; unset: unlimited", minimum=1
    )
    concurrent_requests: int | None = _setting(None, "requests of each caller at a time; unset: unlimited", minimum=1)
    quota_window: int = _setting(3600, "time in which the quotas of uploads and allocations may be used", minimum=1)
    quota_uploads: int | None = _setting(
        None, "uploads of each principal to this server in that time; unset: unlimited", minimum=1
    )
    quota_upload_bytes: int | None = _setting(
        None, "bytes that each principal may upload to this server in that time; unset: unlimited", minimum=1
    )
    quota_allocations: int | None = _setting(
        None, "objects that each principal may allocate in that time; unset: unlimited", minimum=1
    )
    quota_stored_bytes: int | None = _setting(
        None, "bytes that each principal may have stored; unset: unlimited", minimum=1
    )
    quota_file: Path | None = _setting(None, "file with other quotas for some principals")
    max_body_bytes: int = _setting(16 * 2**20, "maximum size of a JSON body", minimum=1)
    body_memory: int = _setting(
        128 * 2**20, "bytes of large JSON bodies that a process holds at once, before and after decoding", minimum=1
    )
    free_space_reserve: int = _setting(
        64 * 2**20, "free space below which nothing is added to the embedded catalogue or a folder of media", minimum=0
    )
    max_upload_bytes: int | None = _setting(None, "maximum size of a media upload; unset: unlimited", minimum=1)
    upload_url_timeout: int = _setting(600, "lifetime of presigned upload URLs", minimum=1)
    verify_uploads: bool = _setting(
        False, "register a segment only if the bytes of its objects have arrived in their storage backend"
    )
    download_url_timeout: int = _setting(3600, "lifetime of presigned download URLs", minimum=1)
    min_presigned_url_timeout: int = _setting(
        300, "minimum lifetime of presigned URLs, as advertised by GET /service", minimum=30
    )
    min_object_timeout: int = _setting(
        600, "minimum lifetime of unregistered objects, as advertised by GET /service", minimum=300
    )
    object_grace: int = _setting(60, "additional time before such objects are removed", minimum=0)
    page_limit_default: int = _setting(100, "items in a page if the request sets no limit", minimum=1)
    page_limit_max: int = _setting(1000, "maximum number of items in a page", minimum=1)
    storage_limit_default: int = _setting(10, "objects allocated if the request sets no limit", minimum=1)
    storage_limit_max: int = _setting(1000, "maximum number of objects allocated by one request", minimum=1)
    async_deletion_threshold: int = _setting(
        1000, "number of segments above which a deletion runs in the background", minimum=0
    )
    delete_request_retention: int = _setting(
        604_800, "time for which a flow delete request can be read after it was made", minimum=60
    )
    soft_delete_grace: int = _setting(
        0, "time for which a deleted flow can be restored; 0: it is deleted at once", minimum=0
    )
    worker_interval: float = _setting(0.5, "polling interval of an idle background worker", minimum=0.01)
    retention: bool = _setting(True, "delete what the retention tags of flows say is due")
    retention_interval: float = _setting(10, "time between two looks for what is due", minimum=0.05)
    empty_flow_retention: int | None = _setting(
        None, "time after its last change at which a flow without content is deleted; unset: never", minimum=60
    )
    job_lease: int = _setting(30, "time after which another worker takes over the jobs of one that has died", minimum=1)
    webhook_timeout: float = _setting(10, "timeout for one delivery to a webhook", minimum=0.1)
    webhook_give_up: int = _setting(
        86_400, "time for which deliveries may fail before the webhook gets the status error", minimum=1
    )
    webhook_max_bytes: int = _setting(
        256 * 2**10, "size of a delivery above which an event is sent in parts", minimum=1024
    )
    webhook_set_aside: int = _setting(
        3600, "time for which a receiver may reject one event before the next ones are sent", minimum=1
    )
    webhook_allow: str = _setting(
        "",
        "networks (CIDR) that webhooks and copies may reach in addition to public addresses",
        parse=parse_networks,
    )
    fetch_timeout: float = _setting(
        3600, "time within which an object must have been copied from a URL elsewhere", minimum=0.1
    )
    fetch_max_bytes: int = _setting(16 * 2**30, "maximum size of an object copied from a URL elsewhere", minimum=1)
    analytics: bool = _setting(True, "answer SQL over the catalogue at /analytics, where its packages are installed")
    analytics_memory: int = _setting(2**30, "memory of one query of analytics", minimum=64 * 2**20)
    analytics_timeout: float = _setting(30, "time within which a query of analytics must be answered", minimum=0.1)
    analytics_rows: int = _setting(10_000, "maximum number of rows in an answer of analytics", minimum=1)
    analytics_trino_url: str | None = _setting(
        None, "catalogue and schema of a Trino that has the tables; unset: DuckDB reads them", secret=True
    )
    validation_level: str = _setting(
        "strict",
        "strict rejects what breaks the schemas; relaxed stores what can be stored all the same",
        parse=one_of("strict", "relaxed"),
    )
    compliance_days: int = _setting(
        30, "number of days for which requests that broke the schemas are counted; 0: they are not", minimum=0
    )
    metrics: bool = _setting(True, "serve Prometheus metrics at /metrics")
    metrics_listen: str | None = _setting(
        None, "address (host:port) at which the metrics are served instead of /metrics", parse=parse_listen
    )
    metrics_token: str | None = _setting(
        None, "bearer token that /metrics requires; unset: anyone may read them", secret=True
    )
    otlp_endpoint: str | None = _setting(
        None, "URL of an OpenTelemetry collector that is sent traces (OTLP over HTTP); unset: no traces"
    )
    trace_share: float = _setting(1, "share of the requests that are traced, from 0 to 1", minimum=0)
    trust_traceparent: bool = _setting(
        False, "a request whose traceparent says so is traced, or not, whatever the share is"
    )
    log_level: str = _setting("INFO", f"one of {', '.join(LOG_LEVELS)}")
    audit_log: str = _setting("off", "where the audit log is written: a file, stdout, or off")
    audit_reads: bool = _setting(False, "record requests that change nothing in the audit log, too")
    audit_failure: str = _setting(
        "continue",
        "what happens to changes while the audit log cannot be written: continue or refuse (503)",
        parse=one_of("continue", "refuse"),
    )
    log_json: bool = _setting(False, "write log lines as JSON objects")
    fail_on_bad_answer: bool = _setting(
        False, "raise an exception if a response violates the specification (for tests)"
    )

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """The host and the port in `metrics_listen`, if metrics are to be served there."""
        if not (self.metrics and self.metrics_listen):
            return None
        host, _, port = self.metrics_listen.rpartition(":")
        return plain_host(host), int(port)

    @property
    def unregistered_object_lifetime(self) -> int:
        """How long an object that no segment uses is kept, which no upload URL outlives."""
        return self.min_object_timeout + self.object_grace

    @property
    def webhook_networks(self) -> tuple[str, ...]:
        """The networks in `webhook_allow`."""
        return tuple(self.webhook_allow.replace(",", " ").split())

    @property
    def catalog_database(self) -> str | Path:
        """The URL of the database in use, or the file of the embedded one: a path is never made part of a URL."""
        return self.database_url or self.data_dir.resolve() / "catalog.db"
