"""Reads the file of storage backends (TAMS_STORAGE_BACKENDS, docs/storage.md) and makes the stores it describes."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft202012Validator

from storage.errors import Unavailable
from storage.media.filesystem import FileStore
from storage.media.object_store import Backend, ObjectStore
from storage.media.s3 import LONGEST_TIMEOUT_S, S3Store
from storage.media.s3_client import Bucket
from storage.media.s3_credentials import CredentialSource, FromChain, FromEnvironment, FromFile
from tams_server.settings import SettingsError

_log = logging.getLogger(__name__)

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
            "credentials": {"type": "object"},
        },
        "required": ["id", "kind", "provider", "store_product", "endpoint", "bucket", "region", "credentials"],
        "additionalProperties": False,
    },
}
_CREDENTIALS: dict[str, Entry] = {
    "access_key_env": {
        "properties": {"access_key_env": _NAME, "secret_key_env": _NAME, "session_token_env": _NAME},
        "required": ["access_key_env", "secret_key_env"],
        "additionalProperties": False,
    },
    "file": {"properties": {"file": _NAME, "profile": _NAME}, "additionalProperties": False},
    "chain": {"properties": {"chain": {"const": True}}, "additionalProperties": False},
}


@dataclass(frozen=True, slots=True)
class UrlTimes:
    """What the service promises of URLs and what it gives, in seconds.

    least: min_presigned_url_timeout of GET /service. most_upload: no upload URL may live longer, since allocated
    objects do not. upload, download: where an entry says nothing.
    """

    least: int
    most_upload: int
    upload: int
    download: int


def read_backends(path: Path, times: UrlTimes) -> list[Entry]:
    """The entries of the file, checked, the default first. Raises SettingsError with everything that is wrong."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"TAMS_STORAGE_BACKENDS: {error}"]) from error
    except yaml.YAMLError as error:
        # Its message would show a part of the file.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingsError([f"{path}{place}: this is not YAML: {getattr(error, 'problem', None)}"]) from error
    entries = document.get("backends") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or len(document) > 1:
        raise SettingsError([f"{path}: must hold one member, backends, with a list of at least one"])
    errors = [
        f"{path}: {_title(number, entry)}: {problem}"
        for number, entry in enumerate(entries, 1)
        for problem in _problems(entry, times)
    ]
    errors += [f"{path}: {problem}" for problem in _conflicts([e for e in entries if isinstance(e, dict)])]
    if errors:
        raise SettingsError(errors)
    return sorted(entries, key=lambda entry: not entry.get("default", False))


def open_stores(entries: Sequence[Entry], times: UrlTimes, secret: bytes) -> dict[str, ObjectStore]:
    """The stores of checked entries, by backend id, in their order; none of them need be there yet.

    secret: signs the URLs of those in folders.
    """
    return {entry["id"]: _open(entry, times, secret) for entry in entries}


def unavailable(stores: Mapping[str, ObjectStore]) -> dict[str, str]:
    """The backends that are out of order, with what there is to say. Takes few seconds, however many they are."""
    with ThreadPoolExecutor(max_workers=max(len(stores), 1)) as pool:
        outcomes = pool.map(_problem, stores.values())
        return {id_: problem for id_, problem in zip(stores, outcomes, strict=True) if problem is not None}


def warn_of_unavailable(stores: Mapping[str, ObjectStore]) -> None:
    """Log which backends are out of order; the server works with the others meanwhile."""
    for problem in unavailable(stores).values():
        _log.warning("%s; the server starts without it and uses it as soon as it is back", problem)


def _problem(store: ObjectStore) -> str | None:
    try:
        store.check()
    except Unavailable as error:
        return error.message
    return None


def _open(entry: Entry, times: UrlTimes, secret: bytes) -> ObjectStore:
    files = entry["kind"] == "files"
    backend = Backend(
        id=entry["id"],
        label=entry.get("label"),
        provider=entry.get("provider", "tams-server"),
        store_product=entry.get("store_product", "embedded file store"),
        region=entry.get("region"),
        availability_zone=entry.get("availability_zone"),
        default_storage=entry.get("default", False),
        tags=entry.get("tags", {}),
    )
    upload_s = entry.get("upload_url_timeout", times.upload)
    download_s = entry.get("download_url_timeout", times.download)
    if files:
        folder = Path(entry["folder"])
        return FileStore(
            folder, backend, secret, upload_timeout_s=upload_s, download_timeout_s=download_s, may_be_away=True
        )
    bucket = Bucket(
        entry["bucket"],
        entry["endpoint"].rstrip("/"),
        entry["region"],
        public_endpoint=entry["public_endpoint"].rstrip("/") if "public_endpoint" in entry else None,
        prefix=entry.get("prefix", ""),
        virtual_host=entry.get("addressing_style") == "virtual",
        ca_file=entry.get("ca_file"),
    )
    return S3Store(
        backend,
        bucket,
        _source(entry["credentials"]),
        upload_timeout_s=upload_s,
        download_timeout_s=download_s,
        unsigned=entry.get("unsigned", False),
    )


def _source(credentials: Entry) -> CredentialSource:
    if "access_key_env" in credentials:
        return FromEnvironment(**credentials)
    if "file" in credentials:
        return FromFile(Path(credentials["file"]), credentials.get("profile", "default"))
    return FromChain()


def _title(number: int, entry: Any) -> str:
    name = (entry.get("label") or entry.get("id")) if isinstance(entry, dict) else None
    return f"backend {number} ({name})" if name else f"backend {number}"


def _problems(entry: Any, times: UrlTimes) -> Iterator[str]:
    """What is wrong with one entry by itself, each with the field's name."""
    if not isinstance(entry, dict):
        yield f"must be a mapping with {', '.join(_KINDS['files']['required'])} and more"
        return
    kind = entry.get("kind")
    if kind not in _KINDS:
        yield f"kind: {kind!r} must be one of {', '.join(sorted(_KINDS))}"
        return
    yield from _told(_KINDS[kind], entry)
    yield from _url_problems(entry)
    yield from _time_problems(entry, times)
    if isinstance(entry.get("credentials"), dict):
        yield from _credential_problems(entry["credentials"])


def _told(schema: Entry, value: Entry, *parents: str) -> Iterator[str]:
    """The schema's complaints, but for the values of credentials: somebody may have put a secret there."""
    for error in sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: error.json_path):
        steps = [*parents, *map(str, error.absolute_path)]
        shown = error.message
        if "credentials" in steps and error.validator not in ("required", "additionalProperties"):
            shown = "this value cannot be used here"
        yield f"{'.'.join(steps)}: {shown}" if steps else shown


def _url_problems(entry: Entry) -> Iterator[str]:
    for name in ("endpoint", "public_endpoint"):
        text = entry.get(name)
        if isinstance(text, str) and not _is_endpoint(text):
            yield f"{name}: must be http(s)://host, with a port and a path at most"
    secure = str(entry.get("public_endpoint") or entry.get("endpoint")).startswith("https:")
    if entry.get("addressing_style") == "virtual" and "." in str(entry.get("bucket")) and secure:
        yield "addressing_style: virtual does not go with HTTPS and a dot in the bucket's name (certificates)"


def _is_endpoint(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_port = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = not (url.query or url.fragment or url.username or url.password) and not url.path.rstrip("/").endswith("/")
    return url.scheme in ("http", "https") and bool(url.hostname) and has_port and plain and text.isascii()


def _time_problems(entry: Entry, times: UrlTimes) -> Iterator[str]:
    """TMO-04, TMO-01: URLs live as long as promised, and uploads no longer than the objects they are for."""
    for name, default in (("upload_url_timeout", times.upload), ("download_url_timeout", times.download)):
        value = entry.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if value < times.least:
            yield f"{name}: {value} must be at least {times.least} (TAMS_MIN_PRESIGNED_URL_TIMEOUT)"
        if entry["kind"] == "s3" and value > LONGEST_TIMEOUT_S:
            yield f"{name}: {value} must be at most {LONGEST_TIMEOUT_S}, since S3 has no longer ones"
        if name == "upload_url_timeout" and value > times.most_upload:
            yield (
                f"{name}: {value} must be at most {times.most_upload} (TAMS_MIN_OBJECT_TIMEOUT and TAMS_OBJECT_GRACE"
                " together), or an upload could outlive its object"
            )


def _credential_problems(credentials: Entry) -> Iterator[str]:
    chosen = [name for name in _CREDENTIALS if name in credentials]
    if "secret_key_env" in credentials and "access_key_env" not in chosen:
        chosen.append("access_key_env")
    if len(chosen) != 1:
        yield "credentials: must have access_key_env and secret_key_env, or file, or chain: true"
    else:
        yield from _told(_CREDENTIALS[chosen[0]], credentials, "credentials")


def _conflicts(entries: Sequence[Entry]) -> Iterator[str]:
    """What is wrong between entries."""
    for name in ("id", "label"):
        for value, count in Counter(str(entry[name]) for entry in entries if entry.get(name) is not None).items():
            if count > 1:
                yield f"{name}: {value!r} stands at {count} backends; it must be unique"
    defaults = [entry.get("label") or entry.get("id") for entry in entries if entry.get("default") is True]
    if len(defaults) > 1:
        yield f"default: {len(defaults)} backends are the default ({', '.join(map(str, defaults))}); one may be"
    places = [
        (str(e.get("endpoint")).rstrip("/"), e.get("bucket"), str(e.get("prefix", "")))
        if e.get("kind") == "s3"
        else (str(Path(str(e.get("folder"))).absolute()), None, "")
        for e in entries
    ]
    for number, (endpoint, bucket, prefix) in enumerate(places):
        for other_endpoint, other_bucket, other_prefix in places[:number]:
            same = (endpoint, bucket) == (other_endpoint, other_bucket)
            if same and (prefix.startswith(other_prefix) or other_prefix.startswith(prefix)):
                yield (
                    f"bucket: backend {number + 1} keeps its objects where another does ({bucket or endpoint});"
                    " each needs a bucket, prefix or folder of its own"
                )
                break
