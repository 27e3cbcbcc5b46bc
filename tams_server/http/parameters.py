"""Reads path and query parameters from their raw, percent-encoded text, as the operation declares them.

Absent and empty differ. A templated name (`tag.{name}`) is matched by its prefix and gathered into one dict (T01).
A list is split at literal commas before its parts are decoded, so that an encoded comma belongs to a value (A11).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from storage.errors import Invalid, NotFound
from tams_server.specification.explain import shown
from tams_server.specification.operations import Operation, QueryParameter

INT64_MAX = 2**63 - 1
_INTEGER = re.compile(r"-?[0-9]+")
_BOOLEANS = {"true": True, "false": False}


def read_path(operation: Operation, raw: Mapping[str, str]) -> dict[str, str]:
    """Path parameters decoded. Raises NotFound for one that its schema refuses (GEN-01, A02)."""
    values = {}
    for name, text in raw.items():
        value = decoded(text)
        if value is None:
            raise NotFound(f"path parameter {name}: {shown(text)} is not UTF-8 text", field=name)
        validator = operation.path_parameters[name]
        if not validator.is_valid(value):
            complaint = validator.complaint(value)
            raise NotFound(f"path parameter {name}: {complaint.text if complaint else 'is invalid'}", field=name)
        values[name] = value
    return values


def read_query(operation: Operation, query_string: str) -> dict[str, Any]:
    """The parameters that were given, by key, converted. Raises Invalid naming the parameter.

    Those that the operation does not know are ignored (GEN-08). One may come once only, except for lists, whose
    values are joined.
    """
    values: dict[str, Any] = {}
    if not query_string:
        return values
    for name, raw in _pairs(query_string):
        parameter = operation.query.get(name)
        if parameter is not None:
            _add(values, name, name, parameter, raw)
            continue
        for parameter in operation.templated:
            if parameter.prefix is not None and name.startswith(parameter.prefix):
                key = name[len(parameter.prefix) :]
                if not key:
                    raise Invalid(f"query parameter {name}: a name must follow {parameter.prefix}", field=name)
                _add(values.setdefault(parameter.key, {}), key, name, parameter, raw)
                break
    return values


def decoded(text: str) -> str | None:
    """Percent-decoded text, or None where that is not UTF-8 or holds a NUL, which no store can keep."""
    if "%" in text or not text.isascii():
        try:
            # A server hands bytes over as latin-1; they are given back as they were.
            text = unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
        except UnicodeError:
            return None
    return None if "\0" in text else text


def _pairs(query_string: str) -> Iterator[tuple[str, str]]:
    for pair in query_string.split("&"):
        if not pair:
            continue
        raw_name, _, raw = pair.partition("=")
        raw = raw.replace("+", " ")
        name = decoded(raw_name.replace("+", " "))
        if name is None or decoded(raw) is None:
            raise Invalid(f"query parameter {shown(name or raw_name)}: must be UTF-8 text without NUL", field=name)
        yield name, raw


def _add(values: dict[str, Any], key: str, name: str, parameter: QueryParameter, raw: str) -> None:
    value = _converted(parameter, name, raw)
    if key not in values:
        values[key] = value
    elif isinstance(value, list):
        values[key] += value
    else:
        raise Invalid(f"query parameter {shown(name)}: may be given once only", field=name)


def _converted(parameter: QueryParameter, name: str, raw: str) -> Any:
    text = decoded(raw) or ""
    value: Any = text
    checked: Any = text
    match parameter.kind:
        case "list":
            parts = raw if parameter.literal_commas else text
            checked = parts
            value = [decoded(part) for part in parts.split(",")] if parts or parameter.prefix else []
        case "boolean":
            if text not in _BOOLEANS:
                raise Invalid(f"query parameter {name}: {shown(text)} must be true or false", field=name)
            value = checked = _BOOLEANS[text]
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise Invalid(f"query parameter {name}: {shown(text)} must be a whole number", field=name)
            value = checked = _clamped(text)
    if not parameter.validator.is_valid(checked):
        complaint = parameter.validator.complaint(checked)
        raise Invalid(f"query parameter {name}: {complaint.text if complaint else 'is invalid'}", field=name)
    return value


def _clamped(digits: str) -> int:
    """The whole number, or the int64 that is nearest to it: a limit above any maximum is lowered (PAGE-07)."""
    if len(digits) > 20:
        return -INT64_MAX if digits.startswith("-") else INT64_MAX
    return max(-INT64_MAX, min(INT64_MAX, int(digits)))
