"""Requests made to cost a server as much as possible: for every operation, the worst targets, headers and bodies.

Bodies are deep, wide, long, or wrong everywhere, around the example of the operation in the specification, in all sizes
up to the limits and beyond. A request is its bytes, so that making it costs nothing while the server is measured.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tams_server.http.json_documents import BULK, DOCUMENT
from tams_server.http.limits import HEADER_BYTES, TARGET_BYTES
from tests.conformance.kit.documents import flow

Json = dict[str, Any]
LONG = "n" * 40_000
_ITEMS = (b"1", b"null", b"1.5", b"[]", b'{"a":1}', b'""', rb'"\u0000"', b"18446744073709551615", '"😀"'.encode())


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request. name: the operation and the shape."""

    name: str
    method: str
    target: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None


Shape = Callable[[Any, int], bytes]
"""Makes a body of about so many bytes. Its first argument is the example of the operation."""


def _list(item: bytes) -> Shape:
    def make(_example: Any, size: int) -> bytes:
        most = DOCUMENT.max_containers - 1 if item[:1] in b"[{" else DOCUMENT.max_items
        return b"[" + b",".join([item] * min(size // (len(item) + 1), most)) + b"]"

    return make


def _wide(value: bytes) -> Shape:
    def make(_example: Any, size: int) -> bytes:
        count = min(size // (len(value) + 10), DOCUMENT.max_members)
        return b"{" + b",".join(b'"k%d":%s' % (number, value) for number in range(count)) + b"}"

    return make


def _in_member(name: str, value: Shape) -> Shape:
    """Put the value into one member of the example."""

    def make(example: Any, size: int) -> bytes:
        document = {**example, name: "HERE"} if isinstance(example, dict) else {name: "HERE"}
        return json.dumps(document).encode().replace(b'"HERE"', value(example, size))

    return make


def _wrong_everywhere(example: Any, size: int) -> bytes:
    """Replace every member of the example by a long list of wrong items."""
    if not isinstance(example, dict):
        return _list(b"1")(example, size)
    each = _list(b"1.5")(example, min(size, 500_000) // (len(example) + 1))
    return b"{" + b",".join(b"%s:%s" % (json.dumps(name).encode(), each) for name in example) + b"}"


def _text(character: str, last: str = "") -> Shape:
    def make(example: Any, size: int) -> bytes:
        text = character * ((size - 200) // len(character.encode())) + last
        if isinstance(example, dict):
            named = next((name for name, value in example.items() if isinstance(value, str) and name != "id"), "x")
            return json.dumps({**example, named: text}, ensure_ascii=False).encode()
        return json.dumps(text, ensure_ascii=False).encode()

    return make


def _repeated(example: Any, size: int) -> bytes:
    one = json.dumps(example[0] if isinstance(example, list) else example).encode()
    containers = max(1, one.count(b"{") + one.count(b"["))
    most = min(size // (len(one) + 1), (DOCUMENT.max_containers - 1) // containers)
    return b"[" + b",".join([one] * min(most, BULK.max_members // max(1, one.count(b":")))) + b"]"


def _with_junk(last: bytes) -> Shape:
    """A list of valid items, each with a long member that is not stored, and a last one of another kind."""

    def make(example: Any, size: int) -> bytes:
        item = example[0] if isinstance(example, list) else example
        junk = {"junk": "x" * 100_000 + "\U0001f600"}
        one = json.dumps({**item, **junk} if isinstance(item, dict) else junk, ensure_ascii=False).encode()
        return b"[" + b",".join([one] * (size // (len(one) + 1)) + [last]) + b"]"

    return make


def _long_name(_example: Any, size: int) -> bytes:
    return b'{"%s":%s}' % (LONG.encode(), _list(b"1")(None, size - len(LONG)))


def _nested(example: Any, size: int) -> bytes:
    return b"[" * 60 + _list(b"[[]]")(example, min(size, 100_000)) + b"]" * 60


SHAPES: Mapping[str, Shape] = {
    **{f"list of {item.decode()}": _list(item) for item in _ITEMS},
    "wide": _wide(b"1"),
    "wide with lists": _wide(b"[1,1]"),
    "wide tags": _in_member("tags", _wide(b"1")),
    "wide valid tags": _in_member("tags", _wide(b'"x"')),
    "wrong tags": _in_member("tags", _long_name),
    "wide essence": _in_member("essence_parameters", _wide(b"1")),
    "unknown member": _in_member("junk", _list(b"1.5")),
    "wrong collection": _in_member("flow_collection", _list(b'{"id":1}')),
    "wrong URLs": _in_member("get_urls", _list(b'{"url":1}')),
    "wrong events": _in_member("events", _list(b'"x"')),
    "wrong object ids": _in_member("object_ids", _list(b"1")),
    "many object ids": _in_member("object_ids", _list(b'"abc"')),
    "wrong everywhere": _wrong_everywhere,
    "repeated": _repeated,
    "long junk": _with_junk(b"1"),
    "long name": _long_name,
    "long text": _text("x"),
    "long digits": _text("1"),
    "long list of commas": _text(","),
    "wide characters": _text("x", "\U0001f600"),
    "nested": _nested,
    "not closed": lambda example, size: _list(b"1")(example, size)[:-1],
    "only brackets": lambda _example, size: b"[" * size,
    "only quotes": lambda _example, size: b'"' * size,
    "spaces": lambda _example, size: b" " * (size - 1) + b"1",
    "digits": lambda _example, size: b"1" * size,
    "same member": lambda _example, size: b"{" + b",".join([b'"a":1'] * min(size // 6, DOCUMENT.max_members)) + b"}",
    "escapes": lambda _example, size: b'"' + b"\\u0041" * (size // 6 - 1) + b'"',
}
WORST = (
    "list of 1",
    "list of []",
    "wide",
    "wide tags",
    "wrong everywhere",
    "long name",
    "repeated",
    "long junk",
    "wide characters",
)
"""The shapes that cost most, which every operation is sent in the short form of the test."""


@dataclass(frozen=True, slots=True)
class Target:
    """An operation with its path parameters filled in. example: of its body; None if it takes none."""

    operation: str
    method: str
    path: str
    example: Any
    query: tuple[str, ...]
    is_bulk: bool


def make_resources(client: httpx.Client) -> dict[str, str]:
    """Make the resources that the targets address, and return the values of their path parameters."""
    made = flow()
    client.put(f"/flows/{made['id']}", json=made).raise_for_status()
    hook = {"url": "http://127.0.0.1:9/", "events": ["flows/created"], "tags": {}}
    webhook = client.post("/service/webhooks", json=hook).raise_for_status().json()
    return {
        "flowId": made["id"],
        "sourceId": made["source_id"],
        "webhookId": webhook["id"],
        "profileId": "10fac26c-0c18-47c4-9bee-a6aaf01daf16",
        "objectId": "an-object",
        "name": "a-tag",
        "request-id": made["id"],
    }


def targets(document: Json, ids: Mapping[str, str]) -> Iterator[Target]:
    """Yield every operation of the document. ids: values of path parameters."""
    for path, item in document["paths"].items():
        for method in ("get", "put", "post", "delete"):
            if method in item:
                operation = item[method]
                body = operation.get("requestBody", {})
                content = body.get("content", {}).get("application/json", {})
                examples = [content.get("example"), *(each["value"] for each in content.get("examples", {}).values())]
                query = tuple(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")
                filled = path
                for name, value in ids.items():
                    filled = filled.replace(f"{{{name}}}", value)
                found = [example for example in examples if example is not None]
                example = _with_ids(found[-1] if found else None, ids)
                yield Target(operation["operationId"], method.upper(), filled, example, query, bool(body.get("x-bulk")))


def _with_ids(example: Any, ids: Mapping[str, str]) -> Any:
    """Address the resource in the path, so that the body gets as far as it can."""
    if isinstance(example, dict) and "id" in example:
        named = {"url": "webhookId", "flow_metadata": "profileId"}
        return {**example, "id": ids[next((id_ for name, id_ in named.items() if name in example), "flowId")]}
    return example


def with_body(target: Target, shape: str, size: int, *, encoded: bool = False) -> Hostile:
    body = SHAPES[shape](target.example, size)
    headers = {"Content-Type": "application/json"}
    if encoded:
        body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
    name = f"{target.operation}: {shape}, {size} bytes{', gzip' if encoded else ''}"
    return Hostile(name, target.method, target.path, body, headers)


def sizes(target: Target) -> tuple[int, int, int]:
    """Sizes of bodies: small, just within the limit, and beyond it."""
    most = BULK.max_bytes if target.is_bulk else DOCUMENT.max_bytes
    return 20_000, most - 1000, most + 1000


def bad_queries(target: Target) -> Iterator[Hostile]:
    """Yield requests with the longest queries that an operation can be sent."""
    room = TARGET_BYTES - len(target.path) - 200
    queries = {"undeclared parameters": "&".join(["a=1"] * (room // 4)), "broken escapes": "%" * room}
    for name in target.query:
        named = name.replace("{name}", "x")
        start = f"{quote(named)}="
        queries[f"{name} with digits"] = start + "9" * (room - len(start))
        queries[f"{name} with a list"] = start + ",".join("x" * (room // 4))
        queries[f"{name} with brackets"] = start + "[0:0_" * (room // 8)
        queries[f"{name} repeated"] = "&".join([f"{start}a"] * (room // (len(start) + 2)))
        if named != name:
            count = room // (len(start) + 6)
            queries[f"{name} with many names"] = "&".join(f"{quote(named)}{n}=a" for n in range(count))
    for what, query in queries.items():
        yield Hostile(f"{target.operation}: {what}", target.method, f"{target.path}?{query[:room]}")


def bad_headers(target: Target) -> Iterator[Hostile]:
    """Yield requests with the longest values of headers that are parsed."""
    room = HEADER_BYTES - 2000
    values = {
        "If-None-Match": ('"a",' * room)[:room],
        "If-Match": 'W/"' + "a" * room,
        "If-Unmodified-Since": "Mon, " * (room // 5),
        "Range": "bytes=" + "0-1," * (room // 4),
        "Content-Type": "application/json" + "; a=b" * (room // 5),
        "Content-Encoding": "gzip," * (room // 5),
        "Authorization": "Basic " + "A" * room,
        "Accept": "*/*;q=0.1," * (room // 10),
        "X-Request-Id": "a" * room,
    }
    for name, value in values.items():
        body = None if target.example is None else json.dumps(target.example).encode()
        yield Hostile(f"{target.operation}: long {name}", target.method, target.path, body, {name: value})


_BOUNDARY = b"b"
_HEAD = b'--b\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: %s\r\n%s\r\n'


def bad_forms(target: Target) -> Iterator[Hostile]:
    """Yield forms that cost a parser as much as possible, for the operation that takes them."""
    size = BULK.max_bytes
    segment = _HEAD % (b"segment", b"application/json", b"") + b'{"timerange": "[0:0_1:0)"}\r\n'
    file = _HEAD % (b"file", b"video/mp2t", b"")
    in_document = _HEAD % (b"segment", b"application/json", b"")
    bodies = {
        "false boundaries": segment + file + b"\r\n--bX" * (size // 6),
        "false boundaries in the document": in_document + b"\r\n--bX" * (size // 6),
        "parts": (segment + file) * (size // 200),
        "empty parts": b"--b\r\n" + b"\r\n--b\r\n" * (size // 7),
        "ends of lines": segment + file + b"\r\n" * (size // 2),
        "beginnings of boundaries": segment + file + b"\r\n--" * (size // 4),
        "hyphens before the form": b"\r\n" + b"-" * size,
        "spaces after a boundary": segment + b"--b" + b" " * size,
        "spaces after the last boundary": segment + file + b"\r\n--b--" + b" " * size,
        "headers": b"--b\r\n" + b"a: b\r\n" * (size // 6),
        "one header": b"--b\r\na: " + b"b" * size,
        "the name of a header": b"--b\r\n" + b"a" * size,
        "a header of spaces": b"--b\r\na:" + b" " * size,
        "a name with parameters": _HEAD % (b"segment", b"a/b", b"X-Y: " + b";" * 4000 + b"\r\n") + b"{}" * (size // 2),
    }
    for shape in WORST:
        document = SHAPES[shape](target.example, DOCUMENT.max_bytes - 1000)
        bodies[f"document, {shape}"] = in_document + document + b"\r\n" + file
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY.decode()}"}
    for what, body in bodies.items():
        yield Hostile(f"{target.operation}: form, {what}", target.method, target.path, body, headers)


def random_request(random_: random.Random, all_targets: list[Target]) -> Hostile:
    """Return any request of any size."""
    target = random_.choice(all_targets)
    kind = random_.random()
    if target.example is None or kind < 0.1:
        makers = (bad_queries, bad_headers)
        return random_.choice(list(random_.choice(makers)(target)))
    small, within, beyond = sizes(target)
    size = random_.choice((small, within, beyond, int(2 ** random_.uniform(8, within.bit_length() - 1))))
    return with_body(target, random_.choice(list(SHAPES)), size, encoded=random_.random() < 0.2)
