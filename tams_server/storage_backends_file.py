"""The storage backends file (TAMS_STORAGE_BACKENDS, docs/storage.md): reading and validation."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from storage.media.s3_urls import LONGEST_TIMEOUT_S
from tams_server.settings import Settings, SettingsError
from tams_server.settings.yaml_files import read_yaml

Entry = dict[str, Any]

_NAME = {"type": "string", "minLength": 1}
_TIMEOUT = {"type": "integer"}
_COMMON: Entry = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
    "label": _NAME,
    "kind": {"enum": ["s3", "files"]},
    "provider": _NAME,
    "store_product": _NAME,
    "region": _NAME,
    "availability_zone": _NAME,
    "tags": {
        "type": "object",
        "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
    },
    "auth_classes": {"type": "array", "items": _NAME},
    "default": {"type": "boolean"},
    "upload_url_timeout": _TIMEOUT,
    "download_url_timeout": _TIMEOUT,
}
_KINDS: dict[str, Entry] = {
    "files": {
        "properties": {**_COMMON, "folder": _NAME},
        "required": ["id", "kind", "folder"],
        "additionalProperties": False,
    },
    "s3": {
        "properties": {
            **_COMMON,
            "endpoint": _NAME,
            "public_endpoint": _NAME,
            "bucket": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$"},
            "prefix": {"type": "string", "maxLength": 200, "pattern": r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*$"},
            "addressing_style": {"enum": ["path", "virtual"]},
            "ca_file": _NAME,
            "unsigned": {"type": "boolean"},
            "write_once": {"type": "boolean"},
            "credentials": {"type": "object"},
        },
        "required": ["id", "kind", "provider", "store_product", "endpoint", "bucket", "region", "credentials"],
        "additionalProperties": False,
    },
}
_CREDENTIALS: dict[str, Entry] = {
    "access_key_env": {
        "properties": {
            "access_key_env": _NAME,
            "secret_key_env": _NAME,
            "session_token_env": _NAME,
            "expiration_env": _NAME,
        },
        "required": ["access_key_env", "secret_key_env"],
        "additionalProperties": False,
    },
    "file": {"properties": {"file": _NAME, "profile": _NAME}, "additionalProperties": False},
    "chain": {"properties": {"chain": {"const": True}}, "additionalProperties": False},
}


@dataclass(frozen=True, slots=True)
class UrlTimeouts:
    """Limits and defaults of the lifetime of presigned URLs, in seconds.

    minimum: min_presigned_url_timeout of GET /service. max_upload: the lifetime of an allocated object, which no upload
    URL may exceed. upload, download: defaults for entries that set none.
    """

    minimum: int
    max_upload: int
    upload: int
    download: int

    @classmethod
    def of(cls, settings: Settings) -> "UrlTimeouts":
        return cls(
            minimum=settings.min_presigned_url_timeout,
            max_upload=settings.unregistered_object_lifetime,
            upload=settings.upload_url_timeout,
            download=settings.download_url_timeout,
        )


def read_backends(path: Path, timeouts: UrlTimeouts) -> list[Entry]:
    """Read and validate the file. Returns its entries, the default backend first.

    Raises SettingsError with every error found.
    """
    entries = _read_entries(path)
    errors = [
        f"{path}: {_title(number, entry)}: {error}"
        for number, entry in enumerate(entries, 1)
        for error in _entry_errors(entry, timeouts)
    ]
    errors += [f"{path}: {error}" for error in _conflicts([e for e in entries if isinstance(e, dict)])]
    if errors:
        raise SettingsError(errors)
    return sorted(entries, key=lambda entry: not entry.get("default", False))


def _read_entries(path: Path) -> list[Any]:
    document = read_yaml(path, "TAMS_STORAGE_BACKENDS")
    entries = document.get("backends") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or len(document) > 1:
        raise SettingsError([f"{path}: must have exactly one member, backends, a list of at least one backend"])
    return entries


def _title(number: int, entry: Any) -> str:
    name = (entry.get("label") or entry.get("id")) if isinstance(entry, dict) else None
    return f"backend {number} ({name})" if name else f"backend {number}"


def _entry_errors(entry: Any, timeouts: UrlTimeouts) -> Iterator[str]:
    """Errors within one entry, each beginning with the name of the field."""
    if not isinstance(entry, dict):
        yield f"must be a mapping with {', '.join(_KINDS['files']['required'])} and other members"
        return
    kind = entry.get("kind")
    if kind not in _KINDS:
        yield f"kind: {kind!r} must be one of {', '.join(sorted(_KINDS))}"
        return
    yield from _schema_errors(_KINDS[kind], entry)
    if "auth_classes" in entry and "auth_classes" in (entry.get("tags") or {}):
        yield "auth_classes: must not be given in tags too"
    yield from _endpoint_errors(entry)
    yield from _timeout_errors(entry, timeouts)
    if isinstance(entry.get("credentials"), dict):
        yield from _credential_errors(entry["credentials"])


def _schema_errors(schema: Entry, value: Entry, *parents: str) -> Iterator[str]:
    """Validation errors, without the values of credentials: someone may have put a secret there."""
    for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: error.json_path):
        steps = [*parents, *map(str, error.absolute_path)]
        message = error.message
        if "credentials" in steps and error.validator not in ("required", "additionalProperties"):
            message = "the value is invalid (not shown, as it may be secret)"
        yield f"{'.'.join(steps)}: {message}" if steps else message


def _endpoint_errors(entry: Entry) -> Iterator[str]:
    for name in ("endpoint", "public_endpoint"):
        text = entry.get(name)
        if isinstance(text, str) and not _is_endpoint(text):
            yield f"{name}: must be http(s)://host, optionally with a port and a path"
    secure = str(entry.get("public_endpoint") or entry.get("endpoint")).startswith("https:")
    if entry.get("addressing_style") == "virtual" and "." in str(entry.get("bucket")) and secure:
        yield (
            "addressing_style: virtual does not work over HTTPS if the bucket name contains a dot:"
            " TLS certificates do not match it"
        )


def _is_endpoint(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_port = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = not (url.query or url.fragment or url.username or url.password) and not url.path.rstrip("/").endswith("/")
    return url.scheme in ("http", "https") and bool(url.hostname) and has_port and plain and text.isascii()


def _timeout_errors(entry: Entry, timeouts: UrlTimeouts) -> Iterator[str]:
    """TMO-04, TMO-01: URLs live at least as long as advertised; upload URLs at most as long as the object."""
    for name, default in (("upload_url_timeout", timeouts.upload), ("download_url_timeout", timeouts.download)):
        value = entry.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if value < timeouts.minimum:
            yield f"{name}: {value} must be at least {timeouts.minimum} (TAMS_MIN_PRESIGNED_URL_TIMEOUT)"
        if entry["kind"] == "s3" and value > LONGEST_TIMEOUT_S:
            yield f"{name}: {value} must be at most {LONGEST_TIMEOUT_S}, the maximum for S3"
        if name == "upload_url_timeout" and value > timeouts.max_upload:
            yield (
                f"{name}: {value} must be at most {timeouts.max_upload} (TAMS_MIN_OBJECT_TIMEOUT plus"
                " TAMS_OBJECT_GRACE), or an upload could outlive its object"
            )


def _credential_errors(credentials: Entry) -> Iterator[str]:
    sources = [name for name in _CREDENTIALS if name in credentials]
    if "secret_key_env" in credentials and "access_key_env" not in sources:
        sources.append("access_key_env")
    if len(sources) != 1:
        yield "credentials: must have access_key_env and secret_key_env, or file, or chain: true"
    else:
        yield from _schema_errors(_CREDENTIALS[sources[0]], credentials, "credentials")


def _conflicts(entries: Sequence[Entry]) -> Iterator[str]:
    """Errors between entries."""
    for name in ("id", "label"):
        for value, count in Counter(str(entry[name]) for entry in entries if entry.get(name) is not None).items():
            if count > 1:
                yield f"{name}: {value!r} is used by {count} backends; it must be unique"
    defaults = [entry.get("label") or entry.get("id") for entry in entries if entry.get("default") is True]
    if len(defaults) > 1:
        yield f"default: only one backend may be the default, not {len(defaults)} ({', '.join(map(str, defaults))})"
    locations = [_location(entry) for entry in entries]
    for number, (endpoint, bucket, prefix) in enumerate(locations):
        for other_endpoint, other_bucket, other_prefix in locations[:number]:
            same = (endpoint, bucket) == (other_endpoint, other_bucket)
            if same and (prefix.startswith(other_prefix) or other_prefix.startswith(prefix)):
                yield (
                    f"bucket: backend {number + 1} overlaps with another backend ({bucket or endpoint});"
                    " each needs its own folder, bucket or prefix"
                )
                break


def _location(entry: Entry) -> tuple[str, Any, str]:
    """Where a backend keeps its objects: (endpoint or folder, bucket, prefix)."""
    if entry.get("kind") == "s3":
        return str(entry.get("endpoint")).rstrip("/"), entry.get("bucket"), str(entry.get("prefix", ""))
    return str(Path(str(entry.get("folder"))).absolute()), None, ""
