"""Settings from TAMS_* environment variables and the command line.

A secret may be read from a file instead: TAMS_BOOTSTRAP_TOKEN_FILE names the file that contains the value of
TAMS_BOOTSTRAP_TOKEN.
"""

import dataclasses
import ipaddress
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tams_server.addresses import plain_host

PREFIX = "TAMS_"
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_PATH = "/%:@!$&'()*+=~"
"""The characters of a path that stay as they are, besides letters, digits, ".", "_" and "-"."""
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


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


def _parse_public_url(text: str) -> str:
    """Return the URL with its scheme in lower case, and without a slash at its end."""
    try:
        url = urlsplit(text.strip())
        plain_host(url.hostname or "")
        valid = url.scheme in ("http", "https") and url.port != 0 and not (url.query or url.fragment)
    except ValueError:
        valid = False
    if not valid or "@" in url.netloc:
        raise ValueError("must be http(s)://host, optionally with a path")
    return f"{url.scheme}://{url.netloc}{quote(url.path.rstrip('/'), safe=_PATH)}"


def _parse_new_source_metadata(text: str) -> str:
    if text.lower() not in ("flow", "none"):
        raise ValueError("must be flow or none")
    return text.lower()


def _parse_networks(text: str) -> str:
    """Return networks separated by spaces. Bits of an address beyond its prefix are dropped."""
    networks = []
    for network in text.replace(",", " ").split():
        try:
            networks.append(str(ipaddress.ip_network(network, strict=False)))
        except ValueError as error:
            raise ValueError(f"must be a list of networks such as 10.1.0.0/16: {error}") from None
    return " ".join(networks)


class SettingsError(Exception):
    """Invalid settings. errors: one line per error."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Times are in seconds, sizes in bytes. The defaults serve from one folder on one machine."""

    data_dir: Path = _setting(Path("tams-data"), "folder of the embedded catalogue and media store")
    database_url: str | None = _setting(
        None, "database of the catalogue; unset: SQLite in the data folder", secret=True
    )
    vast_secret: str | None = _setting(None, "secret key for the VAST cluster of the catalogue", secret=True)
    enable_table_projections: bool = _setting(False, "create the projections of VAST tables at start")
    host: str = _setting("0.0.0.0", "address to listen on", parse=plain_host)
    port: int = _setting(4010, "port to listen on", minimum=0)
    workers: int = _setting(2, "number of processes that serve requests", minimum=1)
    threads: int = _setting(8, "number of requests that each process handles concurrently", minimum=1)
    public_url: str | None = _setting(
        None, "URL of this server as clients see it; unset: derived from each request", parse=_parse_public_url
    )
    trust_proxy: bool = _setting(False, "trust X-Forwarded-Proto, -Host, -Port and -Prefix, or else Forwarded")
    api_dir: Path | None = _setting(None, "folder with another copy of the API specification to serve")
    bootstrap_token: str | None = _setting(None, "token with full access, created at start", secret=True)
    bootstrap_basic: str | None = _setting(None, "user:password with full access, created at start", secret=True)
    service_name: str | None = _setting(None, "name of the service until POST /service sets another")
    storage_backends: Path | None = _setting(
        None, "file that describes the storage backends; unset: one backend in the data folder"
    )
    new_source_metadata: str = _setting(
        "flow",
        "where a new source takes label, description and tags from: its first flow (flow), or nowhere (none)",
        parse=_parse_new_source_metadata,
    )
    backend_label: str = _setting("default", "label of the embedded storage backend")
    request_head_timeout: float = _setting(30, "time within which the head of a request must be complete", minimum=0.1)
    max_body_bytes: int = _setting(16 * 2**20, "maximum size of a JSON body", minimum=1)
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
    worker_interval: float = _setting(0.5, "polling interval of an idle background worker", minimum=0.01)
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
        parse=_parse_networks,
    )
    metrics: bool = _setting(True, "serve Prometheus metrics at /metrics, without authentication")
    log_level: str = _setting("INFO", f"one of {', '.join(_LEVELS)}")
    log_json: bool = _setting(False, "write log lines as JSON objects")
    fail_on_bad_answer: bool = _setting(
        False, "raise an exception if a response violates the specification (for tests)"
    )

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


@dataclass(frozen=True, slots=True)
class Loaded:
    """Loaded settings. origins: source of each setting, by name. unknown: TAMS_* variables that are not settings."""

    settings: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...] = ()


def load_settings(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Load the settings from environment variables. overrides: values from the command line; None means not given.

    Raises SettingsError with all errors. Unknown TAMS_* variables are not errors: container platforms set some for
    every service named "tams".
    """
    errors: list[str] = []
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    hints = typing.get_type_hints(Settings)
    for name, described in fields.items():
        variable = PREFIX + name.upper()
        text, origin = _read(environ, variable, described.metadata["secret"], errors)
        if overrides and overrides.get(name) is not None:
            text, origin = str(overrides[name]), "command line"
        origins[name] = origin
        if text is not None:
            try:
                parse = described.metadata["parse"]
                values[name] = parse(text) if parse else _convert(text, hints[name], described.metadata["minimum"])
            except ValueError as error:
                shown = "the value" if described.metadata["secret"] else repr(text)
                errors.append(f"{variable}: {shown} {error}")
    settings = Settings(**values)
    errors += _conflicts(settings)
    if errors:
        raise SettingsError(errors)
    return Loaded(settings, origins, tuple(_unknown(environ, fields)))


def shown_settings(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Yield (variable, value, source) for every setting, with secrets redacted."""
    for described in dataclasses.fields(Settings):
        value = getattr(loaded.settings, described.name)
        if value is None:
            text = ""
        elif described.metadata["secret"]:
            text = "(secret)"
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        yield PREFIX + described.name.upper(), text, loaded.origins[described.name]


def _unknown(environ: Mapping[str, str], fields: Mapping[str, dataclasses.Field[Any]]) -> Iterator[str]:
    known = {PREFIX + name.upper() for name in fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name, described in fields.items() if described.metadata["secret"]}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            yield variable


def _read(environ: Mapping[str, str], variable: str, secret: bool, errors: list[str]) -> tuple[str | None, str]:
    file = environ.get(f"{variable}_FILE") if secret else None
    if file is None:
        return (environ[variable], "environment") if environ.get(variable) else (None, "default")
    if environ.get(variable):
        errors.append(f"{variable} and {variable}_FILE: only one of them may be set")
    try:
        return Path(file).read_text(encoding="utf-8").strip(), f"file {file}"
    except (OSError, UnicodeDecodeError) as error:
        errors.append(f"{variable}_FILE: {error}")
        return None, "default"


def _convert(text: str, hint: Any, minimum: float | None) -> Any:
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType] or [hint]
    kind = kinds[0]
    if kind is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise ValueError("must be true or false")
        return _BOOLEANS[text.strip().lower()]
    if kind is int:
        if not text.strip().lstrip("-").isdecimal():
            raise ValueError("must be an integer")
        if minimum is not None and int(text) < minimum:
            raise ValueError(f"must be at least {minimum}")
        return int(text)
    if kind is float:
        return _number(text, minimum)
    return kind(text)


def _number(text: str, minimum: float | None) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(value) or (minimum is not None and value < minimum):
        raise ValueError(f"must be at least {minimum}")
    return value


def _conflicts(s: Settings) -> Iterator[str]:
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
    yield from _worker_conflicts(s)
    for limits in ("page_limit", "storage_limit"):
        if getattr(s, f"{limits}_default") > getattr(s, f"{limits}_max"):
            yield f"TAMS_{limits.upper()}_DEFAULT: must be at most TAMS_{limits.upper()}_MAX"
    if s.log_level.upper() not in _LEVELS:
        yield f"TAMS_LOG_LEVEL: {s.log_level!r} must be one of {', '.join(_LEVELS)}"
    if s.bootstrap_basic is not None and not all(s.bootstrap_basic.partition(":")[::2]):
        yield "TAMS_BOOTSTRAP_BASIC: must be user:password"


def _worker_conflicts(s: Settings) -> Iterator[str]:
    """Check the settings of background workers."""
    if s.job_lease < 2 * s.webhook_timeout:
        yield "TAMS_JOB_LEASE: must be at least twice TAMS_WEBHOOK_TIMEOUT, or a delivery could outlive its lease"
