"""Makes tams_server/client/models.py from the schemas in api/: `make models`.

Every schema of an object becomes a TypedDict, and so does each object in it. Several schemas joined by `allOf` become
one.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "api" / "schemas"
MODELS = ROOT / "tams_server" / "client" / "models.py"
Schema = Mapping[str, Any]
_FORMATS = ("video", "audio", "image", "data", "multi")
_NAMES = {
    "collection-item": "CollectionItem",
    "container-mapping": "ContainerMapping",
    "deletion-request": "FlowDeleteRequest",
    "error": "Error",
    "event-stream-common": "EventMechanism",
    "flow-collection": "FlowCollectionItem",
    "flow-segment-bulk-failure": "FailedSegments",
    "flow-segment-post": "NewSegment",
    "flow-segment": "Segment",
    "flow-storage-post": "StorageRequest",
    "flow-storage": "AllocatedStorage",
    "http-request": "HttpRequest",
    "object": "MediaObject",
    "profile": "Profile",
    "service-post": "ServiceChange",
    "service": "Service",
    "source": "Source",
    "storage-backends-list": "StorageBackend",
    "webhook-get": "Webhook",
    "webhook-post": "NewWebhook",
    "webhook-put": "WebhookChange",
}
"""The class of each schema. Those of flows are made below; the others describe texts, or parts of these."""
_NESTED = {
    "flow-storage.media_objects": "Slot",
    "flow-segment-bulk-failure.failed_segments": "FailedSegment",
    "flow-segment-post.get_urls": "UncontrolledUrl",
    "object-core.get_urls": "GetUrl",
    "flow-segment.init_object": "InitReference",
    "object.init_object": "InitObject",
    "flow-technical.segment_duration": "Fraction",
    "flow-video.frame_rate": "Fraction",
    "flow-video.aspect_ratio": "AspectRatio",
    "flow-video.pixel_aspect_ratio": "AspectRatio",
    "flow-image.aspect_ratio": "AspectRatio",
    **{f"flow-{each}.essence_parameters": f"{each.capitalize()}Essence" for each in _FORMATS},
}
"""Classes of objects in schemas. Others are named after their parent and their member."""
_DESCRIPTIONS = {
    "AspectRatio": "Width over height",
    "FlowCollectionItem": "A Flow in the collection of another",
    "FlowCommon": "What every Flow has apart from its coding",
    "Fraction": "A number as a fraction; the denominator is 1 if it is absent",
    "GetUrl": "Where the bytes of an Object can be read. Absent, `controlled` means true and `presigned` false",
    "StorageBackend": "A store in which the service can keep Objects",
    "UncontrolledUrl": "Where somebody else keeps the bytes of an Object",
}
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict[str, Any]"}
_HEADER = '''"""Types of the documents of TAMS, made from the schemas in api/ by `make models`. Do not edit.

Documents stay what they are, JSON: members that a later 8.x version adds are kept.
"""

from typing import Any, Literal, NotRequired, TypedDict

Tags = dict[str, str | list[str]]
"""Free metadata by name. Each value is one text or a list of texts."""
'''


class Generator:
    """Collects classes by name, each before those that use it."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self._members: dict[str, dict[str, str]] = {}

    def text(self) -> str:
        """The module, not yet formatted."""
        for file, name in _NAMES.items():
            self._root(_load(file), name, file)
        common = {**_load("flow-common"), "properties": {**_load("flow-common")["properties"]}}
        common["properties"] |= _load("flow-get")["properties"]
        self._class(common, "FlowCommon", "flow-common")
        for each in _FORMATS:
            own = _load(f"flow-{each}")
            self._class(own, f"{each.capitalize()}Flow", f"flow-{each}", base="FlowCommon")
        union = " | ".join(f"{each.capitalize()}Flow" for each in _FORMATS)
        flow = f'Flow = {union}\n"""A flow, of the format that its `format` says."""\n'
        return "\n\n".join([_HEADER, *self.classes.values(), flow])

    def _root(self, schema: Schema, name: str, file: str) -> None:
        if schema.get("type") == "array":
            self._class(schema["items"], name, file, schema["description"])
        else:
            self._class(schema, name, file, schema["description"])

    def _class(self, schema: Schema, name: str, file: str, description: str = "", base: str = "TypedDict") -> str:
        """Add the class of an object, and return its name."""
        properties, required = _members(schema, file)
        annotations = {}
        for member, (each, origin) in properties.items():
            annotation = self._type(each, _nested_name(name, member, origin), origin)
            annotations[member] = annotation if member in required else f"NotRequired[{annotation}]"
        about = _DESCRIPTIONS.get(name) or _sentence(description or schema.get("description") or schema["title"])
        doc = textwrap.fill(f"{about}.", 112)
        if all(member.isidentifier() for member in annotations):
            lines = [f"    {member}: {annotation}" for member, annotation in annotations.items()]
            text = f'class {name}({base}):\n    """{doc}"""\n\n' + "\n".join(lines) + "\n"
        else:
            pairs = ", ".join(f'"{member}": {annotation}' for member, annotation in annotations.items())
            text = f'{name} = TypedDict("{name}", {{{pairs}}})\n"""{doc}"""\n'
        assert self._members.setdefault(name, annotations) == annotations, f"two classes would have the name {name}"
        self.classes.setdefault(name, text)
        return name

    def _type(self, schema: Schema, name: str, file: str) -> str:
        """The annotation of a value."""
        if "$ref" in schema:
            target, origin = _resolve(schema["$ref"], file)
            if origin == "tags":
                return "Tags"
            if origin in _NAMES and "#/" not in schema["$ref"]:
                found = _NAMES[origin]
                if target.get("type") == "array":
                    self._class(target["items"], found, origin, target["description"])
                    return f"list[{found}]"
                return self._class(target, found, origin, target["description"])
            return self._type(target, name, origin)
        if "enum" in schema:
            return f"Literal[{', '.join(json.dumps(each) for each in schema['enum'])}]"
        if schema.get("type") == "array":
            return f"list[{self._type(schema['items'], name, file)}]"
        if "oneOf" in schema and "properties" not in schema:
            return "dict[str, Any]"
        if _members(schema, file)[0]:
            return self._class(schema, name, file)
        if isinstance(schema.get("additionalProperties"), dict):
            return f"dict[str, {self._type(schema['additionalProperties'], name, file)}]"
        return _SCALARS[schema["type"]]


def _members(schema: Schema, file: str) -> tuple[dict[str, tuple[Schema, str]], set[str]]:
    """The properties of an object, each with the file it stands in, and which are required."""
    found: dict[str, tuple[Schema, str]] = {}
    required = set(schema.get("required", ()))
    if "$ref" in schema:
        return _members(*_resolve(schema["$ref"], file))
    for part in schema.get("allOf", ()):
        if "oneOf" in part and "properties" not in part:
            continue
        more, needed = _members(part, file)
        found |= more
        required |= needed
    found |= {name: (each, file) for name, each in schema.get("properties", {}).items()}
    return found, required


def _resolve(reference: str, file: str) -> tuple[Schema, str]:
    """The schema that a reference names, and its file."""
    name, _, pointer = reference.partition("#/")
    origin = name.removesuffix(".json") or file
    schema = _load(origin)
    for step in filter(None, pointer.split("/")):
        schema = schema[step]
    return schema, origin


def _load(file: str) -> Any:
    return json.loads((SCHEMAS / f"{file}.json").read_text())


def _nested_name(parent: str, member: str, file: str) -> str:
    return _NESTED.get(f"{file}.{member}") or parent + "".join(word.capitalize() for word in member.split("_"))


def _sentence(text: str) -> str:
    """The first sentence of a description."""
    return text.split("\n")[0].split(". ")[0].rstrip(".:")


def generated() -> str:
    """The module as it should be, formatted."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(MODELS), "-"]
    done = subprocess.run(command, input=Generator().text(), capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


if __name__ == "__main__":
    MODELS.write_text(generated())
