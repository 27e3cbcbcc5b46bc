"""Path and query parameters, read from their raw, percent-encoded text as the operation declares them.

An absent parameter differs from an empty one. A parameter with a templated name (`tag.{name}`) is matched by its
prefix, and all of its values are collected in one dict. The items of a list are separated by commas, plain or
percent-encoded, because most HTTP libraries encode them. Text with encoded commas may be one item as a whole too (A11).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from storage.errors import Invalid, NotFound
from storage.nul import escape_nul
from tams_server import error_codes
from tams_server.http.limits import FILTERS, LIST_ITEMS
from tams_server.specification.explain import Violation, format_value
from tams_server.specification.operations import Operation, QueryParameter
from tams_server.specification.validators import Validator

INT64_MAX = 2**63 - 1
_INT64_DIGITS = 19
_INTEGER = re.compile(r"[+-]?[0-9]+")
_HEX_DIGITS = "0123456789ABCDEFabcdef"
_BYTES = {(a + b).encode(): bytes.fromhex(a + b) for a in _HEX_DIGITS for b in _HEX_DIGITS}
_BOOLEANS = {"true": True, "false": False}


def read_path(operation: Operation, raw: Mapping[str, str]) -> dict[str, str]:
    """Return the path parameters, decoded. Raises NotFound for one that does not match its schema (GEN-01, A02)."""
    values = {}
    for name, text in raw.items():
        value = _stored_text(text)
        if value is None:
            raise NotFound(
                f"path parameter {name}: {format_value(text)} must be UTF-8 text",
                code=error_codes.PATH_PARAMETER,
                field=name,
            )
        validator = operation.path_parameters[name]
        if not validator.is_valid(value):
            violation = validator.violation(value)
            raise NotFound(
                f"path parameter {name}: {violation.text if violation else 'is invalid'}",
                code=error_codes.PATH_PARAMETER,
                field=name,
                schema_path=_schema_path(operation, name, validator, violation),
            )
        values[name] = value
    return values


def read_query(operation: Operation, query_string: str) -> dict[str, Any]:
    """Return the query parameters that were given, by key, as int, bool, str or list[str].

    Parameters that the operation does not declare are ignored, whatever they contain (GEN-08, A64). Only lists may be
    given more than once; their items are concatenated, without repetitions. Raises Invalid naming the parameter.
    """
    values: dict[str, Any] = {}
    if not query_string:
        return values
    for name, raw in _pairs(query_string, operation):
        parameter = operation.query.get(name)
        if parameter is not None:
            _add(operation, values, name, name, parameter, raw)
            continue
        for parameter in operation.templated:
            if parameter.prefix is not None and name.startswith(parameter.prefix):
                key = name[len(parameter.prefix) :]
                if not key:
                    raise Invalid(
                        f"query parameter {name}: {parameter.prefix} must be followed by a name",
                        code=error_codes.QUERY_PARAMETER,
                        field=name,
                    )
                _add(operation, values.setdefault(parameter.key, {}), key, name, parameter, raw)
                break
    _remove_repetitions(values)
    _check_numbers(values)
    return values


def read_flag(operation: Operation, name: str, query_string: str) -> bool:
    """Whether a boolean parameter of the operation is true, in a query of which another part may be invalid."""
    if name not in operation.query:
        return False
    pairs = (pair.partition("=") for pair in query_string.split("&"))
    return any(percent_decode(raw_name) == name and percent_decode(raw) == "true" for raw_name, _, raw in pairs)


def percent_decode(text: str) -> str | None:
    """Return percent-decoded text, or None if it is not UTF-8."""
    if "%" in text or not text.isascii():
        try:
            # ASGI servers pass raw bytes on as latin-1.
            text = _unquote(text.encode("latin-1")).decode("utf-8")
        except UnicodeError:
            return None
    return text


def _unquote(text: bytes) -> bytes:
    """Decode as `urllib.parse.unquote_to_bytes` does, which takes ten times as long for a "%" without two digits."""
    first, *rest = text.split(b"%")
    decoded = [first]
    for part in rest:
        byte = _BYTES.get(part[:2])
        decoded += (b"%", part) if byte is None else (byte, part[2:])
    return b"".join(decoded)


def _stored_text(raw: str) -> str | None:
    """Return percent-decoded text as it is stored, or None if it is not UTF-8."""
    text = percent_decode(raw)
    return None if text is None else escape_nul(text)


def _pairs(query_string: str, operation: Operation) -> Iterator[tuple[str, str]]:
    """Yield decoded names with values that are still encoded, with "+" replaced by a space.

    A name that is not UTF-8 is left out, unless the operation declares its beginning: then it raises Invalid.
    """
    for pair in query_string.split("&"):
        raw_name, _, raw = pair.partition("=")
        name = _stored_text(raw_name.replace("+", " "))
        if name is not None:
            yield name, raw.replace("+", " ")
        elif any(raw_name.startswith(parameter.prefix or "") for parameter in operation.templated):
            raise Invalid(
                f"query parameter {format_value(raw_name)}: its name must be UTF-8 text",
                code=error_codes.QUERY_PARAMETER,
                field=raw_name,
            )


def _add(
    operation: Operation, values: dict[str, Any], key: str, name: str, parameter: QueryParameter, raw: str
) -> None:
    value = _convert(operation, parameter, name, raw)
    if key not in values:
        values[key] = value
    elif isinstance(value, list):
        values[key] += value
    else:
        raise Invalid(
            f"query parameter {format_value(name)}: must be given only once",
            code=error_codes.QUERY_PARAMETER,
            field=name,
        )


def _remove_repetitions(values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, list):
            values[key] = list(dict.fromkeys(value))
        elif isinstance(value, dict):
            _remove_repetitions(value)


def _convert(operation: Operation, parameter: QueryParameter, name: str, raw: str) -> Any:
    text = _stored_text(raw)
    if text is None:
        raise Invalid(
            f"query parameter {format_value(name)}: {format_value(raw)} must be UTF-8 text",
            code=error_codes.QUERY_PARAMETER,
            field=name,
        )
    value: Any = text
    checked: Any = text
    match parameter.kind:
        case "list":
            value = _items(raw, text, parameter)
        case "boolean":
            if text not in _BOOLEANS:
                raise Invalid(
                    f"query parameter {name}: {format_value(text)} must be true or false",
                    code=error_codes.QUERY_PARAMETER,
                    field=name,
                )
            value = checked = _BOOLEANS[text]
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise Invalid(
                    f"query parameter {name}: {format_value(text)} must be an integer",
                    code=error_codes.QUERY_PARAMETER,
                    field=name,
                )
            value = checked = _clamp_to_int64(text)
    if not parameter.validator.is_valid(checked):
        violation = parameter.validator.violation(checked)
        raise Invalid(
            f"query parameter {name}: {violation.text if violation else 'is invalid'}",
            code=error_codes.QUERY_SCHEMA,
            field=name,
            schema_path=_schema_path(operation, parameter.name, parameter.validator, violation),
        )
    return value


def _schema_path(operation: Operation, name: str, validator: Validator, violation: Violation | None) -> str:
    rule = validator.rule_path(violation) if violation else ""
    return operation.schema_path(("parameters", name, "schema"), rule)


def _items(raw: str, text: str, parameter: QueryParameter) -> list[str]:
    """Return the items of a list. raw: as the client sent it. text: the same, decoded.

    `a,b` has the items "a" and "b". So has `a%2Cb`, and, unless the items are ids, "a,b" as well (A11).
    """
    if not text and not parameter.prefix:
        return []
    items = text.split(",")
    if parameter.has_commas_in_items and "%2c" in raw.lower():
        items += [_stored_text(part) or "" for part in raw.split(",")]
    return items


def _check_numbers(values: Mapping[str, Any], within: str = "") -> None:
    """Reject more filters of one kind, or items of one list, than a query can have at a reasonable cost."""
    for key, value in values.items():
        if isinstance(value, dict):
            if len(value) > FILTERS:
                name = f"{key}.{{name}}"
                raise Invalid(
                    f"query parameter {name}: must be given for at most {FILTERS} names, not {len(value)}",
                    code=error_codes.QUERY_PARAMETER,
                    field=name,
                )
            _check_numbers(value, f"{key}.")
        elif isinstance(value, list):
            # An item with a comma is the whole of a text whose parts are items too (`_items`).
            number = max(sum("," not in item for item in value), (len(value) + 1) // 2)
            if number > LIST_ITEMS:
                name = within + key
                raise Invalid(
                    f"query parameter {format_value(name)}: must have at most {LIST_ITEMS} items, not {number}",
                    code=error_codes.QUERY_PARAMETER,
                    field=name,
                )


def _clamp_to_int64(text: str) -> int:
    """Return the integer, or the nearest within int64: a limit above the maximum is lowered to it (PAGE-07)."""
    digits = text.lstrip("+-").lstrip("0")
    # Python takes time that grows with the square of the number of digits, and refuses thousands.
    size = INT64_MAX if len(digits) > _INT64_DIGITS else min(int(digits or "0"), INT64_MAX)
    return -size if text.startswith("-") else size
