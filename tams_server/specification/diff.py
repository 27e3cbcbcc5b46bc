"""Structural differences between two copies of the specification, that is, those that affect clients or servers.

Titles, descriptions and examples are ignored. A schema that both copies reference by the same name is compared once,
under that name. If only one copy uses a reference, its target is compared in place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tams_server.specification.document import METHODS, Json, load_document

_ANNOTATIONS = {"title", "description", "summary", "example", "examples", "externalDocs", "$comment", "xml"}
_KEYWORDS_BY_NAME = {"properties", "patternProperties", "$defs", "dependentSchemas"}
_UNORDERED_KEYWORDS = {"required", "enum", "type"}
_SCHEMAS = "#/components/schemas/"
_MAX_VALUE_CHARS = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences, one line each, and the numbers of operations, webhooks and schemas in the first copy."""

    differences: list[str]
    operations: int
    webhooks: int
    schemas: int


def compare(our_folder: Path, their_folder: Path) -> Comparison:
    """Compare two API folders, without overlays. Raises SpecificationError if one cannot be read."""
    ours, theirs = _Copy(our_folder), _Copy(their_folder)
    return Comparison(
        differences=list(_Differ(ours, theirs).differences()),
        operations=sum(method in item for item in ours.document["paths"].values() for method in METHODS),
        webhooks=len(ours.document.get("webhooks", {})),
        schemas=len(ours.schemas),
    )


class _Copy:
    """One copy. schemas: those in files. Other shared components are compared where they are used."""

    def __init__(self, folder: Path) -> None:
        self.document = load_document(folder)
        shared = self.document["components"]["schemas"]
        self.schemas = {file.stem: shared[file.stem] for file in (folder / "schemas").glob("*.json")}


class _Differ:
    def __init__(self, ours: _Copy, theirs: _Copy) -> None:
        self._schemas = (ours.schemas, theirs.schemas)
        self._ours = ours.document
        self._theirs = theirs.document

    def differences(self) -> Iterator[str]:
        ours, theirs = self._ours, self._theirs
        yield from self._values("version", str(ours["info"].get("version")), str(theirs["info"].get("version")))
        yield from self._values("security", ours.get("security"), theirs.get("security"))
        schemes = [_strip(d["components"].get("securitySchemes", {}), _ANNOTATIONS) for d in (ours, theirs)]
        yield from self._values("securitySchemes", schemes[0], schemes[1])
        yield from self._by_name("", _operations(ours["paths"]), _operations(theirs["paths"]), self._operation)
        hooks = [_operations(d.get("webhooks", {})) for d in (ours, theirs)]
        yield from self._by_name("webhook ", hooks[0], hooks[1], self._operation)
        yield from self._by_name("schema ", self._schemas[0], self._schemas[1], self._schema)

    def _operation(self, place: str, ours: Json, theirs: Json) -> Iterator[str]:
        for key in ("operationId", "security"):
            yield from self._values(f"{place} > {key}", ours.get(key), theirs.get(key))
        yield from self._values(f"{place} > tags", sorted(ours.get("tags", [])), sorted(theirs.get("tags", [])))
        parameters = [{f"{p['in']} {p['name']}": p for p in o.get("parameters", [])} for o in (ours, theirs)]
        yield from self._by_name(f"{place} > ", parameters[0], parameters[1], self._parameter)
        yield from self._body(f"{place} > request body", ours.get("requestBody"), theirs.get("requestBody"))
        responses = [{str(s): a for s, a in o.get("responses", {}).items()} for o in (ours, theirs)]
        yield from self._by_name(f"{place} > status ", responses[0], responses[1], self._response)

    def _parameter(self, place: str, ours: Json, theirs: Json) -> Iterator[str]:
        yield from self._values(f"{place} > required", bool(ours.get("required")), bool(theirs.get("required")))
        for key in ("style", "explode"):
            yield from self._values(f"{place} > {key}", ours.get(key), theirs.get(key))
        yield from self._schema(place, ours.get("schema", {}), theirs.get("schema", {}))

    def _body(self, place: str, ours: Json | None, theirs: Json | None) -> Iterator[str]:
        if ours is None or theirs is None:
            yield from self._values(place, ours and "present", theirs and "present")
            return
        yield from self._values(f"{place} > required", bool(ours.get("required")), bool(theirs.get("required")))
        yield from self._content(place, ours, theirs)

    def _response(self, place: str, ours: Json, theirs: Json) -> Iterator[str]:
        headers = [{name.lower(): h for name, h in a.get("headers", {}).items()} for a in (ours, theirs)]
        yield from self._by_name(f"{place} > header ", headers[0], headers[1], self._parameter)
        yield from self._content(place, ours, theirs)

    def _content(self, place: str, ours: Json, theirs: Json) -> Iterator[str]:
        contents = [{m: c.get("schema", {}) for m, c in node.get("content", {}).items()} for node in (ours, theirs)]
        yield from self._by_name(f"{place} > ", contents[0], contents[1], self._schema)

    def _schema(self, place: str, ours: Any, theirs: Any) -> Iterator[str]:
        if isinstance(ours, dict) and isinstance(theirs, dict):
            if ours.get("$ref") != theirs.get("$ref"):
                ours, theirs = _resolve(ours, self._ours), _resolve(theirs, self._theirs)
            mine, others = _without_annotations(ours), _without_annotations(theirs)
            for key in sorted(mine.keys() | others.keys()):
                yield from self._keyword(f"{place} > {key}", key, mine.get(key), others.get(key))
        elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
            for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
                yield from self._schema(f"{place}[{index}]", mine, other)
        else:
            yield from self._values(place, ours, theirs)

    def _keyword(self, place: str, key: str, ours: Any, theirs: Any) -> Iterator[str]:
        if key in _KEYWORDS_BY_NAME and isinstance(ours, dict) and isinstance(theirs, dict):
            yield from self._by_name(f"{place} > ", ours, theirs, self._schema)
        elif key in _UNORDERED_KEYWORDS and isinstance(ours, list) and isinstance(theirs, list):
            yield from self._values(place, sorted(ours, key=str), sorted(theirs, key=str))
        elif key in ("const", "default"):
            yield from self._values(place, ours, theirs)
        else:
            yield from self._schema(place, ours, theirs)

    @staticmethod
    def _by_name(place: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], inner: Any) -> Iterator[str]:
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in ours:
                yield f"{place}{name}: missing here"
            elif name not in theirs:
                yield f"{place}{name}: only here"
            else:
                yield from inner(f"{place}{name}", ours[name], theirs[name])

    @staticmethod
    def _values(place: str, ours: Any, theirs: Any) -> Iterator[str]:
        if ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
            yield f"{place}: {_format(ours)} here, {_format(theirs)} there"


def _operations(paths: Json) -> dict[str, Json]:
    return {f"{m.upper()} {path}": item[m] for path, item in paths.items() for m in METHODS if m in item}


def _resolve(schema: Json, document: Json) -> Json:
    """Replace a reference by its target, overridden by the members beside the reference."""
    while isinstance(schema.get("$ref"), str):
        target: Any = document["components"]["schemas"]
        for part in schema["$ref"].removeprefix(_SCHEMAS).split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _without_annotations(schema: Json) -> Json:
    return {k: v for k, v in schema.items() if k not in _ANNOTATIONS and not k.startswith("x-")}


def _strip(node: Any, names: set[str]) -> Any:
    if isinstance(node, dict):
        return {key: _strip(value, names) for key, value in node.items() if key not in names}
    return node


def _format(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 3] + "..."
