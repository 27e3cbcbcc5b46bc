"""Describes why a value violates a schema: the member at fault, its value and the rule.

Where a schema offers alternatives (`oneOf`), the alternative that the client evidently meant is chosen first, by its
JSON type, `format` or `profile_id`. Otherwise the message could be about an alternative that the client did not mean.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError, relevance
from referencing import Registry
from referencing.jsonschema import DRAFT202012

MAX_VALUE_CHARS = 60
MAX_NAME_CHARS = 100
_MAX_MESSAGE_CHARS = 300
_SECRET_MEMBERS = ("api_key_value",)
"""Members whose value no message shows (HOOK-LIST-06)."""
_HIDDEN = "(secret)"
_DISCRIMINATORS = ("format", "profile_id")
_RULES = {
    "enum": lambda rule: f"must be one of {', '.join(map(str, rule))}",
    "const": lambda rule: f"must be {format_value(rule)}",
    "minimum": lambda rule: f"must be at least {rule}",
    "maximum": lambda rule: f"must be at most {rule}",
    "exclusiveMinimum": lambda rule: f"must be greater than {rule}",
    "exclusiveMaximum": lambda rule: f"must be less than {rule}",
    "minLength": lambda rule: f"must have at least {rule} characters",
    "maxLength": lambda rule: f"must have at most {rule} characters",
    "minItems": lambda rule: f"must have at least {rule} items",
    "maxItems": lambda rule: f"must have at most {rule} items",
    "format": lambda rule: f"must be in {rule} format",
    "type": lambda rule: f"must be of type {rule if isinstance(rule, str) else ' or '.join(rule)}",
}
_UNEXPECTED = re.compile(r"\((.*) (?:was|were) unexpected\)$")


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of a schema.

    path: members and indexes that lead to the value at fault. text: the value and the rule, without the path.
    rule: what leads from the schema to the rule, without references.
    """

    path: Sequence[str | int]
    text: str
    rule: Sequence[str | int] = ()

    @property
    def field(self) -> str:
        """The path with dots ("essence_parameters.frame_rate"); "" for the value as a whole."""
        return join_path(self.path)


def join_path(path: Iterable[str | int]) -> str:
    """Return a path with dots. Long names of members are cut: they are the client's own text."""
    return ".".join(clip(str(part), MAX_NAME_CHARS) for part in path)


def format_value(value: Any) -> str:
    """Format `value` as JSON for a message, without secrets, cut to MAX_VALUE_CHARS."""
    return clip(json.dumps(_without_secrets(value), ensure_ascii=False, default=str), MAX_VALUE_CHARS)


def clip(text: str, most: int) -> str:
    """Return the text, cut to `most` characters and ending in "..." if it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def is_secret(path: Iterable[str | int]) -> bool:
    """Return whether the value at this path must not be shown."""
    return any(part in _SECRET_MEMBERS for part in path)


def contains_secret(value: Any) -> bool:
    """Return whether any part of `value` must not be shown."""
    return bool(_without_secrets(value) != value)


def _without_secrets(value: Any) -> Any:
    """Hide secrets in `value`, even if a client sent JSON inside a string, or members as pairs."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
    if any(isinstance(part, str) and _names_secret(part) for part in parts):
        return _HIDDEN
    if isinstance(value, dict):
        return {k: _HIDDEN if _names_secret(k) else _without_secrets(v) for k, v in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _names_secret(text: str) -> bool:
    return any(name in text.lower() for name in _SECRET_MEMBERS)


def _check_pattern(_validator: Any, rule: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """Match as ECMA-262 does: in Python, "$" would also match before a trailing line feed."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", rule), instance):
        yield ValidationError(f"{instance!r} does not match {rule!r}")


class Explainer:
    """Finds violations with pure-Python jsonschema, which is slow but reports errors in detail."""

    def __init__(self, base: str, root: dict[str, Any]) -> None:
        self._registry: Registry[Any] = Registry().with_resource(base, DRAFT202012.create_resource(root))
        self._formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        extend: Any = jsonschema.validators.extend
        self._validator = extend(jsonschema.Draft202012Validator, {"pattern": _check_pattern})

    def explain(self, schema: dict[str, Any], value: Any) -> Violation | None:
        """Return the most relevant violation, or None if jsonschema finds none."""
        validator = self._validator(schema, registry=self._registry, format_checker=self._formats)
        error = _most_relevant(validator.iter_errors(value))
        return None if error is None else _violation(error)


def _most_relevant(errors: Iterable[ValidationError]) -> ValidationError | None:
    errors = list(errors)
    if not errors:
        return None
    # If an alternative fails, the members that only it declares count as unevaluated. Prefer the reason it failed.
    reasons = [error for error in errors if error.validator != "unevaluatedProperties"]
    error: ValidationError = max(reasons or errors, key=relevance)
    if error.validator in ("oneOf", "anyOf") and error.context:
        return _error_of_intended_alternative(error)
    return error


def _error_of_intended_alternative(choice: ValidationError) -> ValidationError:
    """Return the most relevant error of the alternative of a oneOf that the client evidently meant."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for error in choice.context or ():
        alternatives.setdefault(error.schema_path[0], []).append(error)
    candidates = [errors for errors in alternatives.values() if not any(map(_rules_out, errors))]
    if not candidates:
        return _no_alternative(choice)
    nearest: list[ValidationError] = min(
        candidates, key=lambda errors: (len(errors), -_required_members_present(errors))
    )
    return _most_relevant(nearest) or choice


def _required_members_present(errors: Iterable[ValidationError]) -> int:
    """Count the required members of an alternative that are present."""
    required: list[tuple[Any, Any]] = [(e.validator_value, e.instance) for e in errors if e.validator == "required"]
    return sum(name in instance for names, instance in required for name in names)


def _rules_out(error: ValidationError) -> bool:
    """Return whether `error` shows that its alternative is not the one meant.

    It does if the JSON type or the format differs, or if `profile_id` is absent or empty.
    """
    path = list(error.relative_path)
    if path == ["profile_id"] and error.instance == "":
        return True
    if error.validator == "type":
        return not path
    if error.validator in ("enum", "const"):
        return len(path) == 1 and path[0] in _DISCRIMINATORS
    return error.validator == "required" and not path and _missing_member(error) in _DISCRIMINATORS


def _no_alternative(choice: ValidationError) -> ValidationError:
    """Return an error that lists the allowed formats or types of all alternatives, or one for a missing format."""
    relevant = [e for e in choice.context or () if not e.relative_path or e.relative_path[0] == "format"]
    allowed: list[Any] = []
    for error in relevant:
        rule: Any = error.validator_value
        if error.validator in ("enum", "const"):
            allowed += rule if error.validator == "enum" else [rule]
    if allowed:
        instance: Any = choice.instance
        format_ = instance.get("format")
        path, rule = [*choice.absolute_path, "format"], choice.absolute_schema_path
        return ValidationError("", "enum", path, None, (), allowed, format_, {}, rule)
    types = [str(error.validator_value) for error in relevant if error.validator == "type" and not error.relative_path]
    if types and len(types) == len(relevant):
        path, rule = list(choice.absolute_path), choice.absolute_schema_path
        return ValidationError("", "type", path, None, (), types, choice.instance, {}, rule)
    missing = (e for e in relevant if e.validator == "required" and _missing_member(e) == "format")
    return next(missing, choice)


def _missing_member(error: ValidationError) -> str | None:
    required: Any = error.validator_value
    instance: Any = error.instance
    return next((name for name in required if name not in instance), None)


def _conflicting_members(error: ValidationError) -> list[str]:
    """Return members that are present but not allowed together; [] for other errors. The message names the last."""
    instance: Any = error.instance
    if not isinstance(instance, dict):
        return []
    rule: Any = error.validator_value
    if error.validator == "not":
        parts = rule.get("allOf", [rule])
        return [name for part in parts for name in part.get("required", ())]
    if _matches_several(error):
        found = [name for name in _DISCRIMINATORS if name in instance]
        return found if len(found) > 1 else []
    return []


def _matches_several(error: ValidationError) -> bool:
    """Return whether a oneOf failed because more than one alternative matched."""
    return error.validator == "oneOf" and not error.context


def _violation(error: ValidationError) -> Violation:
    path: tuple[str | int, ...] = tuple(error.absolute_path)
    where: tuple[str | int, ...] = tuple(error.absolute_schema_path)
    rule: Any = error.validator_value
    if error.validator == "required":
        return Violation((*path, _missing_member(error) or ""), "is required", where)
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(error.instance, dict):
        unexpected = _UNEXPECTED.search(error.message)
        names = unexpected[1] if unexpected else error.message
        return Violation(path, f"has members that are not allowed: {names}"[:_MAX_MESSAGE_CHARS], where)
    conflicting = _conflicting_members(error)
    if conflicting:
        *others, last = conflicting
        context = f"together with {' and '.join(others)}" if others else "here"
        return Violation((*path, last), f"is not allowed {context}", where)
    value = "the value" if is_secret(path) else format_value(error.instance)
    return Violation(path, f"{value} {_broken_rule(error, rule, path)}", where)


def _broken_rule(error: ValidationError, rule: Any, path: Sequence[str | int]) -> str:
    """Complete the sentence that begins with the value."""
    if error.validator == "pattern":
        title = error.schema.get("title") if isinstance(error.schema, dict) else None
        return f"must match {rule} ({title})" if title else f"must match {rule}"
    if _matches_several(error):
        titles = [form["title"] for form in rule if "title" in form]
        return f"must match exactly one of these forms, but matches several: {', '.join(titles)}"
    if error.validator in ("oneOf", "anyOf"):
        return "does not match any of the allowed forms"
    describe = _RULES.get(str(error.validator))
    if describe:
        return describe(rule)
    return "is invalid" if is_secret(path) or contains_secret(error.instance) else error.message[:_MAX_MESSAGE_CHARS]
