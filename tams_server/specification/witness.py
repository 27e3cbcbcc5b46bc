"""Reduces a large invalid value to a small one that breaks the same rules, and so can be explained at little cost.

Telling whether a value is valid is fast, however large it is; telling why not takes time for each fault and each part.
So of each list only the first item at fault is kept, and of each object the members that the schema names and the first
one at fault. The result is checked: at every level, the small value is valid under exactly the schemas under which the
large one is. Where that is impossible, as for a list with too many items, the value stays as it is.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tams_server.specification.document import Json
from tams_server.specification.explain import MAX_NAME_CHARS, clip

_CHUNK = 1000
_MAX_TEXT_CHARS = 200
_OTHERS = 3  # undeclared members that are kept, so that a message about them can name some
_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("if", "then", "else", "not")
_IN_PLACE = frozenset(("$ref", *_ALTERNATIVES, *_CONDITIONS))

IsValid = Callable[[Any], bool]
Schemas = tuple[Any, ...]
Parts = dict[str | int, tuple[str | int, "Witness"]]


@dataclass(frozen=True, slots=True)
class Witness:
    """A small value. parts: where each of its items and members is in the large value, with what became of it."""

    value: Any
    parts: Parts = field(default_factory=dict)

    def original_path(self, path: Iterable[str | int]) -> tuple[str | int, ...]:
        """Return the path in the large value; names of members stay as the small value has them, cut if long."""
        original: list[str | int] = []
        here: Witness | None = self
        for part in path:
            place, here = here.parts.get(part, (part, None)) if here else (part, None)
            original.append(place if isinstance(part, int) else part)
        return tuple(original)


class Reducer:
    """Reduces values. resolve: returns the target of a `$ref`, or None. compile_: returns the validator of a schema."""

    def __init__(self, resolve: Callable[[str], Any], compile_: Callable[[Json], IsValid]) -> None:
        self._resolve = resolve
        self._compile = compile_
        # By the ids of schemas, which are kept beside so that none is given to another.
        self._validators: dict[int, tuple[Any, IsValid]] = {}
        self._own_parts: dict[int, tuple[Json, Json]] = {}
        self._wholes: dict[tuple[int, str], Json] = {}

    def reduce(self, schema: Json, value: Any) -> Witness:
        """Return a small value that breaks the same rules of `schema`, or one as large as `value` if none is found."""
        return self._reduce((schema,), value)

    def _reduce(self, schemas: Schemas, value: Any) -> Witness:
        applying = [self._own_part(schema) for schema in self._in_place(schemas)]
        if isinstance(value, str) and len(value) > _MAX_TEXT_CHARS:
            small = Witness(value[:_MAX_TEXT_CHARS])
        elif isinstance(value, list) and value:
            small = self._reduce_list(applying, value)
        elif isinstance(value, dict) and value:
            small = self._reduce_object(applying, value)
        else:
            return Witness(value)
        valid = self._valid
        agrees = all(valid(schema, small.value) == valid(schema, value) for schema in (*schemas, *applying))
        return small if agrees else Witness(value)

    def _reduce_list(self, applying: Sequence[Json], items: list[Any]) -> Witness:
        rules = tuple(schema["items"] for schema in applying if isinstance(schema.get("items"), dict))
        faults = {self._first_item_at_fault(rule, items) for rule in rules}
        kept = sorted(index for index in faults if index is not None) or [0]
        reduced = [self._reduce(rules, items[index]) for index in kept]
        parts: Parts = {place: (index, part) for place, (index, part) in enumerate(zip(kept, reduced, strict=True))}
        return Witness([part.value for part in reduced], parts)

    def _first_item_at_fault(self, rule: Json, items: list[Any]) -> int | None:
        whole = self._whole("items", rule)
        for start in range(0, len(items), _CHUNK):
            if not self._valid(whole, items[start : start + _CHUNK]):
                return next(i for i in range(start, len(items)) if not self._valid(rule, items[i]))
        return None

    def _reduce_object(self, applying: Sequence[Json], members: dict[str, Any]) -> Witness:
        declared = {name for schema in applying for name in _names(schema) if name in members}
        others = islice((name for name in members if name not in declared), _OTHERS)
        kept = dict.fromkeys((*(name for name in members if name in declared), *others))
        for schema in applying:
            kept |= dict.fromkeys(self._first_member_at_fault(schema, members))
        value: dict[str, Any] = {}
        parts: Parts = {}
        for name in kept:
            part = self._reduce(_rules_of_member(applying, name), members[name])
            shown = name if name in declared else clip(name, MAX_NAME_CHARS)
            shown = name if shown in value else shown
            value[shown] = part.value
            parts[shown] = (name, part)
        return Witness(value, parts)

    def _first_member_at_fault(self, schema: Json, members: dict[str, Any]) -> Iterator[str]:
        """Yield the first member that is at fault by the rule for members without a name of their own, if one is."""
        rule = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
        if not isinstance(rule, dict):
            return
        named = schema.get("properties", {})
        whole = self._whole("additionalProperties", rule)
        others = ((name, value) for name, value in members.items() if name not in named)
        while chunk := dict(islice(others, _CHUNK)):
            if not self._valid(whole, chunk):
                yield next(name for name, value in chunk.items() if not self._valid(rule, value))
                return

    def _in_place(self, schemas: Iterable[Any]) -> Iterator[Json]:
        """Yield every schema that applies to the same value, by reference or as an alternative."""
        waiting, seen = list(schemas), set()
        while waiting:
            schema = waiting.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            if isinstance(schema.get("$ref"), str):
                waiting.append(self._resolve(schema["$ref"]))
            for keyword in _ALTERNATIVES:
                waiting += schema.get(keyword, ())
            waiting += (schema.get(keyword) for keyword in _CONDITIONS)

    def _own_part(self, schema: Json) -> Json:
        """Return a schema without the schemas in it that apply in place, which are checked for themselves."""
        known = self._own_parts.get(id(schema))
        if known is None:
            own = {key: rule for key, rule in schema.items() if key not in _IN_PLACE}
            known = self._own_parts[id(schema)] = (schema, own)
        return known[1]

    def _whole(self, keyword: str, rule: Json) -> Json:
        """Return the schema of a list or an object, all of whose items or members follow `rule`."""
        return self._wholes.setdefault((id(rule), keyword), {keyword: rule})

    def _valid(self, schema: Any, value: Any) -> bool:
        known = self._validators.get(id(schema))
        if known is None:
            known = self._validators[id(schema)] = (schema, self._compile(schema))
        return known[1](value)


def _names(schema: Json) -> Iterator[str]:
    """Yield the names of members on which the validity of an object depends."""
    yield from schema.get("properties", ())
    yield from schema.get("required", ())
    yield from schema.get("dependentSchemas", ())
    for name, others in schema.get("dependentRequired", {}).items():
        yield from (name, *others)


def _rules_of_member(applying: Iterable[Json], name: str) -> Schemas:
    rules: list[Any] = []
    for schema in applying:
        own = schema.get("properties", {})
        if name in own:
            rules.append(own[name])
        else:
            by_pattern = schema.get("patternProperties", {}).items()
            matching = [rule for pattern, rule in by_pattern if re.search(pattern, name)]
            rules += matching or [schema.get(key) for key in ("additionalProperties", "unevaluatedProperties")]
    return tuple(rule for rule in rules if isinstance(rule, dict))
