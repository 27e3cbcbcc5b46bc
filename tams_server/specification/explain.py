"""Finds the words for a refusal: which member is at fault, its value, and the rule that it breaks.

Where a schema offers alternatives (`oneOf`), the one that the value evidently means is chosen first: by its JSON type,
by `format` or by `profile_id`; otherwise the message would be about an alternative that nobody had in mind (T16).
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

SHOWN_CHARS = 60
_SECRET_MEMBERS = ("api_key_value",)
"""Members whose value no message shows (HOOK-LIST-06)."""
_HIDDEN = "(secret)"
_DISCRIMINATORS = ("format", "profile_id")
_RULES = {
    "enum": lambda rule: f"must be one of {', '.join(map(str, rule))}",
    "const": lambda rule: f"must be {shown(rule)}",
    "minimum": lambda rule: f"must be at least {rule}",
    "maximum": lambda rule: f"must be at most {rule}",
    "exclusiveMinimum": lambda rule: f"must be more than {rule}",
    "exclusiveMaximum": lambda rule: f"must be less than {rule}",
    "minLength": lambda rule: f"must have at least {rule} characters",
    "maxLength": lambda rule: f"must have at most {rule} characters",
    "minItems": lambda rule: f"must have at least {rule} items",
    "maxItems": lambda rule: f"must have at most {rule} items",
    "format": lambda rule: f"must have the format {rule}",
    "type": lambda rule: f"must be of type {rule if isinstance(rule, str) else ' or '.join(rule)}",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """path: members and indexes down to the value at fault. text: the value and the rule it breaks."""

    path: Sequence[str | int]
    text: str

    @property
    def field(self) -> str:
        """The path dotted ("essence_parameters.frame_rate"), "" for the value as a whole."""
        return ".".join(map(str, self.path))


def shown(value: Any) -> str:
    """`value` as JSON, without secrets, shortened to SHOWN_CHARS."""
    text = json.dumps(_without_secrets(value), ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."


def is_secret(path: Iterable[str | int]) -> bool:
    """Whether what is at this place must not be shown."""
    return any(part in _SECRET_MEMBERS for part in path)


def holds_secret(value: Any) -> bool:
    """Whether something in `value` must not be shown."""
    return bool(_without_secrets(value) != value)


def _without_secrets(value: Any) -> Any:
    """`value` with what is secret hidden: also where a client has written JSON into text, or members as pairs."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
    if any(isinstance(part, str) and _names_secret(part) for part in parts):
        return _HIDDEN
    if isinstance(value, dict):
        return {k: _HIDDEN if _names_secret(k) else _without_secrets(v) for k, v in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _names_secret(text: str) -> bool:
    return any(name in text.lower() for name in _SECRET_MEMBERS)


def _pattern(_validator: Any, rule: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """As ECMA-262 has it: in Python "$" would let a line feed at the end through."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", rule), instance):
        yield ValidationError(f"{instance!r} does not match {rule!r}")


class Explainer:
    """Looks for complaints with jsonschema, which knows more of an error than it costs us to be right."""

    def __init__(self, base: str, root: dict[str, Any]) -> None:
        self._registry: Registry[Any] = Registry().with_resource(base, DRAFT202012.create_resource(root))
        self._formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
        extend: Any = jsonschema.validators.extend
        self._validator = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})

    def complaint(self, schema: dict[str, Any], value: Any) -> Complaint | None:
        """What is wrong with `value`, or None where jsonschema finds nothing."""
        validator = self._validator(schema, registry=self._registry, format_checker=self._formats)
        error = _telling(validator.iter_errors(value))
        return None if error is None else _described(error)


def _telling(errors: Iterable[ValidationError]) -> ValidationError | None:
    errors = list(errors)
    if not errors:
        return None
    # A member counts as unevaluated when the alternative that knows it failed for another reason: tell that reason.
    plain = [error for error in errors if error.validator != "unevaluatedProperties"]
    error: ValidationError = max(plain or errors, key=relevance)
    if error.validator in ("oneOf", "anyOf") and error.context:
        return _meant(error)
    return error


def _meant(choice: ValidationError) -> ValidationError:
    """The error to tell of a oneOf: one of the alternative that the value evidently means."""
    branches: dict[Any, list[ValidationError]] = {}
    for error in choice.context or ():
        branches.setdefault(error.schema_path[0], []).append(error)
    candidates = [errors for errors in branches.values() if not any(map(_excludes, errors))]
    if not candidates:
        return _no_alternative(choice)
    nearest: list[ValidationError] = min(candidates, key=lambda errors: (len(errors), -_given(errors)))
    return _telling(nearest) or choice


def _given(errors: Iterable[ValidationError]) -> int:
    """How many of the members that an alternative requires are there."""
    required: list[tuple[Any, Any]] = [(e.validator_value, e.instance) for e in errors if e.validator == "required"]
    return sum(name in instance for names, instance in required for name in names)


def _excludes(error: ValidationError) -> bool:
    """Whether `error` says that its alternative is not meant: another type, another format, no profile_id, or an empty
    one, which ends a link."""
    path = list(error.relative_path)
    if path == ["profile_id"] and error.instance == "":
        return True
    if error.validator == "type":
        return not path
    if error.validator in ("enum", "const"):
        return len(path) == 1 and path[0] in _DISCRIMINATORS
    return error.validator == "required" and not path and _missing(error) in _DISCRIMINATORS


def _no_alternative(choice: ValidationError) -> ValidationError:
    """None is meant: say what the discriminator may be, as one enum of all alternatives, or that it is missing."""
    about = [error for error in choice.context or () if not error.relative_path or error.relative_path[0] == "format"]
    allowed: list[Any] = []
    for error in about:
        rule: Any = error.validator_value
        if error.validator in ("enum", "const"):
            allowed += rule if error.validator == "enum" else [rule]
    if allowed:
        instance: Any = choice.instance
        format_ = instance.get("format")
        path = [*choice.absolute_path, "format"]
        return ValidationError("", "enum", path, validator_value=allowed, instance=format_, schema={})
    types = [str(error.validator_value) for error in about if error.validator == "type" and not error.relative_path]
    if types and len(types) == len(about):
        path = list(choice.absolute_path)
        return ValidationError("", "type", path, validator_value=types, instance=choice.instance, schema={})
    return next((error for error in about if error.validator == "required" and _missing(error) == "format"), choice)


def _missing(error: ValidationError) -> str | None:
    required: Any = error.validator_value
    instance: Any = error.instance
    return next((name for name in required if name not in instance), None)


def _clashing(error: ValidationError) -> list[str]:
    """Members that are there and must not be so together, of which the last one is told of; [] for other errors."""
    instance: Any = error.instance
    if not isinstance(instance, dict):
        return []
    rule: Any = error.validator_value
    if error.validator == "not":
        parts = rule.get("allOf", [rule])
        return [name for part in parts for name in part.get("required", ())]
    if error.validator == "oneOf" and not error.context:  # It fits several.
        found = [name for name in _DISCRIMINATORS if name in instance]
        return found if len(found) > 1 else []
    return []


def _described(error: ValidationError) -> Complaint:
    path: tuple[str | int, ...] = tuple(error.absolute_path)
    rule: Any = error.validator_value
    if error.validator == "required":
        missing = _missing(error)
        return Complaint((*path, missing or ""), "is missing")
    if error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(error.instance, dict):
        return Complaint(path, f"has members that it may not have: {error.message}"[:300])
    clashing = _clashing(error)
    if clashing:
        *others, last = clashing
        where = f"together with {' and '.join(others)}" if others else "here"
        return Complaint((*path, last), f"cannot be given {where}")
    value = "the value" if is_secret(path) else shown(error.instance)
    if error.validator == "pattern":
        title = error.schema.get("title") if isinstance(error.schema, dict) else None
        kind = f" ({title})" if title else ""
        return Complaint(path, f"{value} must match {rule}{kind}")
    if error.validator == "oneOf" and not error.context:
        titles = [form["title"] for form in rule if "title" in form]
        return Complaint(path, f"{value} is several of what it may be one of: {', '.join(titles)}")
    if error.validator == "oneOf" or error.validator == "anyOf":
        return Complaint(path, f"{value} fits none of the forms it may have")
    words = _RULES.get(str(error.validator))
    unworded = "breaks a rule" if is_secret(path) or holds_secret(error.instance) else error.message[:300]
    return Complaint(path, f"{value} {words(rule) if words else unworded}")
