"""The quotas of principals: those of the settings, and the exceptions in the quota file (TAMS_QUOTA_FILE)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tams_server.settings import Settings, SettingsError
from tams_server.settings.yaml_files import read_yaml


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of a principal; None for no limit. uploads, upload_bytes, allocations: within the window."""

    uploads: int | None = None
    upload_bytes: int | None = None
    allocations: int | None = None
    stored_bytes: int | None = None


_NAMES = tuple(each.name for each in fields(Quotas))


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """window_s: the time in which the quotas of uploads and allocations may be used. exceptions: by principal."""

    window_s: float
    default: Quotas
    exceptions: Mapping[str, Quotas] = field(default_factory=dict)

    def of(self, principal: str) -> Quotas:
        return self.exceptions.get(principal, self.default)

    def limit(self, *names: str) -> bool:
        """Whether any principal has a limit of one of these names."""
        return any(
            getattr(each, name) is not None for each in (self.default, *self.exceptions.values()) for name in names
        )


def read_quota_rules(settings: Settings) -> QuotaRules:
    """Return the rules of the settings and of the file that they name. Raises SettingsError with every error found."""
    default = Quotas(**{name: getattr(settings, f"quota_{name}") for name in _NAMES})
    path = settings.quota_file
    if path is None:
        return QuotaRules(settings.quota_window, default)
    principals = _read_principals(path)
    errors = [f"{path}: {error}" for name, entry in principals.items() for error in _errors(name, entry)]
    if errors:
        raise SettingsError(errors)
    exceptions = {name: replace(default, **entry) for name, entry in principals.items()}
    return QuotaRules(settings.quota_window, default, exceptions)


def _read_principals(path: Path) -> dict[Any, Any]:
    document = read_yaml(path, "TAMS_QUOTA_FILE")
    principals = document.get("principals") if isinstance(document, dict) else None
    if not isinstance(principals, dict) or len(document) > 1:
        raise SettingsError([f"{path}: must have exactly one member, principals, with the quotas of each by its name"])
    return principals


def _errors(name: Any, entry: Any) -> Iterator[str]:
    if not isinstance(name, str):
        yield f"principals.{name}: the name must be a text; put it in quotes"
    if not isinstance(entry, dict):
        yield f"principals.{name}: must have quotas, not {entry!r}"
        return
    for quota, value in entry.items():
        if quota not in _NAMES:
            yield f"principals.{name}.{quota}: must be one of {', '.join(_NAMES)}"
        elif value is not None and (type(value) is not int or value < 1):
            yield f"principals.{name}.{quota}: {value!r} must be an integer of at least 1, or null for no limit"
