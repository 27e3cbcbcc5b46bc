"""The rules of fine-grained authorisation: TAMS_AUTHORISATION and the file TAMS_AUTHORISATION_RULES.

docs/authorisation.md describes them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from storage.catalog.access_rules import NO_RULES, PERMISSIONS, AccessRules, DefaultClass
from tams_server.settings import Settings, SettingsError
from tams_server.settings.yaml_files import read_yaml

_NAME = {"type": "string", "minLength": 1, "maxLength": 256}
_NAMES = {"type": "array", "items": _NAME}
_SCHEMA = {
    "type": "object",
    "properties": {
        "suffixes": {
            "type": "object",
            "properties": {
                each: {"type": "array", "items": {"type": "string", "maxLength": 64}} for each in PERMISSIONS
            },
            "additionalProperties": False,
        },
        "admin_group": {"anyOf": [_NAME, {"type": "null"}]},
        "creators": _NAMES,
        "default_classes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"group": _NAME, "classes": _NAMES, "own_groups": {"const": True}},
                "oneOf": [{"required": ["classes"]}, {"required": ["own_groups"]}],
                "additionalProperties": False,
            },
        },
        "untagged": {"enum": ["admin", "everyone"]},
        "add_flows_to_sources": {"enum": ["writers", "creators"]},
        "spread_changes": {"type": "boolean"},
        "deny_prefix": {"type": "string", "maxLength": 64},
        "embedded_backend_classes": _NAMES,
    },
    "additionalProperties": False,
}


def read_access_rules(settings: Settings) -> AccessRules:
    """Return the rules in force. Raises SettingsError with every error in the file."""
    if settings.authorisation == "off":
        return NO_RULES
    rules = _read(settings.authorisation_rules)
    suffixes = {each: tuple(rules.get("suffixes", {}).get(each, [f"_{each}"])) for each in PERMISSIONS}
    creators = rules.get("creators")
    return AccessRules(
        suffixes=suffixes,
        admin_group=rules.get("admin_group", "admin"),
        creators=None if creators is None else frozenset(creators),
        default_classes=tuple(_default_classes(rules)),
        untagged_is_open=rules.get("untagged") == "everyone",
        creators_extend_sources=rules.get("add_flows_to_sources") == "creators",
        spreads=rules.get("spread_changes", False),
        deny_prefix=rules.get("deny_prefix", ""),
    )


def embedded_backend_tags(settings: Settings) -> dict[str, str | list[str]]:
    """Return the tags of the storage backend in the data folder: its classes, if there are any."""
    if settings.authorisation == "off":
        return {}
    classes = _read(settings.authorisation_rules).get("embedded_backend_classes")
    return {} if classes is None else {"auth_classes": classes}


def _default_classes(rules: Mapping[str, Any]) -> Iterator[DefaultClass]:
    for entry in rules.get("default_classes", ()):
        for name in [None] if "own_groups" in entry else entry["classes"]:
            yield DefaultClass(name, entry.get("group"))


def _read(path: Path | None) -> Mapping[str, Any]:
    """Read and validate the file; all defaults if there is none. Raises SettingsError."""
    if path is None:
        return {}
    document = read_yaml(path, "TAMS_AUTHORISATION_RULES")
    rules: dict[str, Any] = {} if document is None else document
    errors = sorted(Draft202012Validator(_SCHEMA).iter_errors(rules), key=lambda error: error.json_path)
    if errors:
        raise SettingsError([f"{path}: {error.json_path.removeprefix('$.')}: {error.message}" for error in errors])
    return rules
