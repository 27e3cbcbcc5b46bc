"""The issuers in the settings: TAMS_JWT_* for one, TAMS_ISSUERS for a file of any number (docs/access.md)."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from storage.catalog.caller import SCOPES
from storage.catalog.credential import SCOPE_PREFIX
from tams_server.auth.issuer import ALGORITHMS, ClientRights, Issuer
from tams_server.settings import Settings, SettingsError
from tams_server.settings.yaml_files import read_yaml

_log = logging.getLogger(__name__)

_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_TEXT: Final = {"type": "string", "minLength": 1}
_TEXTS: Final = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_SCOPES: Final = {
    "type": "array",
    "items": {"enum": [*SCOPES, *(SCOPE_PREFIX + scope for scope in SCOPES)]},
    "minItems": 1,
}
_ISSUER: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": _NAME},
        "issuer": _TEXT,
        "audience": _TEXTS,
        "jwks_url": _TEXT,
        "ca_file": _TEXT,
        "algorithms": {"type": "array", "items": {"enum": sorted(ALGORITHMS)}, "minItems": 1},
        "leeway": {"type": "integer", "minimum": 0, "maximum": 300},
        "scope_claim": _TEXTS,
        "groups_claim": _TEXTS,
        "principal_claim": _TEXT,
        "scopes": {"type": "object", "additionalProperties": _SCOPES},
        "group_scopes": {"type": "object", "additionalProperties": _SCOPES},
        "required_claims": {"type": "object", "additionalProperties": _TEXTS},
        "clients": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"scopes": _SCOPES, "groups": {"type": "array", "items": _TEXT}},
                "additionalProperties": False,
            },
        },
    },
    "required": ["name", "issuer"],
    "additionalProperties": False,
}


def read_issuers(settings: Settings) -> tuple[Issuer, ...]:
    """Return the issuers of the settings and of their file. Raises SettingsError with every error found."""
    issuers = tuple(map(_issuer, check_issuers(settings)))
    for issuer in issuers:
        _warn_of_plain_http(issuer)
    return issuers


def check_issuers(settings: Settings) -> list[Mapping[str, Any]]:
    """Return the issuers as they are written, which are valid. Raises SettingsError with every error found."""
    entries: list[tuple[str, Any]] = []
    if settings.jwt_issuer is not None:
        entries.append(("TAMS_JWT_ISSUER", _entry_of(settings)))
    if settings.issuers is not None:
        found = _read_file(settings.issuers)
        entries += [(f"{settings.issuers}: issuer {number}", entry) for number, entry in enumerate(found, 1)]
    errors = [f"{title}: {error}" for title, entry in entries for error in _errors(entry)]
    errors += _conflicts([entry for _, entry in entries if isinstance(entry, dict)])
    if errors:
        raise SettingsError(errors)
    return [entry for _, entry in entries]


def _entry_of(settings: Settings) -> dict[str, Any]:
    """The settings TAMS_JWT_* as an entry of the file."""
    entry = {
        "name": settings.jwt_name,
        "issuer": settings.jwt_issuer,
        "audience": settings.jwt_audience,
        "jwks_url": settings.jwt_jwks_url,
        "groups_claim": settings.jwt_groups_claim,
        "principal_claim": settings.jwt_principal_claim,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _read_file(path: Path) -> list[Any]:
    document = read_yaml(path, "TAMS_ISSUERS")
    entries = document.get("issuers") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or len(document) > 1:
        raise SettingsError([f"{path}: must have exactly one member, issuers, a list of at least one issuer"])
    return entries


def _errors(entry: Any) -> Iterator[str]:
    """Errors within one entry, each beginning with the name of the field."""
    for error in sorted(Draft202012Validator(_ISSUER).iter_errors(entry), key=lambda error: error.json_path):
        where = ".".join(map(str, error.absolute_path))
        yield f"{where}: {error.message}" if where else error.message
    if isinstance(entry, dict):
        for name in ("issuer", "jwks_url"):
            value = entry.get(name)
            if isinstance(value, str) and not _is_url(value):
                yield f"{name}: {value!r} must be http(s)://host, optionally with a port and a path"


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_port = url.port is None or url.port > 0
    except ValueError:
        return False
    plain = not (url.fragment or url.username or url.password) and text.isascii() and not re.search(r"\s", text)
    return url.scheme in ("http", "https") and bool(url.hostname) and has_port and plain


def _conflicts(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for name in ("name", "issuer"):
        values = [str(entry.get(name)) for entry in entries]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"{name}: {value!r} is used by {values.count(value)} issuers; it must be unique"


def _issuer(entry: Mapping[str, Any]) -> Issuer:
    options: dict[str, Any] = {"name": entry["name"], "issuer": entry["issuer"]}
    given: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "audiences": ("audience", lambda value: frozenset(_list(value))),
        "jwks_url": ("jwks_url", str),
        "ca_file": ("ca_file", Path),
        "algorithms": ("algorithms", frozenset),
        "leeway_s": ("leeway", int),
        "scope_claims": ("scope_claim", lambda value: tuple(_list(value))),
        "groups_claims": ("groups_claim", lambda value: tuple(_list(value))),
        "principal_claim": ("principal_claim", str),
        "scopes": ("scopes", _scope_map),
        "group_scopes": ("group_scopes", _scope_map),
        "required_claims": ("required_claims", lambda value: {k: frozenset(_list(v)) for k, v in value.items()}),
        "clients": ("clients", _clients),
    }
    options |= {field: read(entry[name]) for field, (name, read) in given.items() if name in entry}
    return Issuer(**options)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _scopes(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.removeprefix(SCOPE_PREFIX) for name in names)


def _scope_map(value: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    return {name: _scopes(scopes) for name, scopes in value.items()}


def _clients(value: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, ClientRights]:
    return {
        client: ClientRights(_scopes(rights.get("scopes", ())), frozenset(rights.get("groups", ())))
        for client, rights in value.items()
    }


def _warn_of_plain_http(issuer: Issuer) -> None:
    url = urlsplit(issuer.jwks_url or issuer.issuer)
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        _log.warning(
            "the keys of the issuer %s are fetched by plain HTTP: anyone who can change it can make tokens",
            issuer.issuer,
        )
