"""Explaining what is wrong in a large value: the right place and rule, at a cost that does not grow with the faults."""

import json
import time
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from tams_server.specification.load import Specification
from tams_server.specification.validators import SchemaValidators, Validator

FLOW_ID = "10000000-0000-4000-8000-000000000001"
LONG = "n" * 40_000
VIDEO: dict[str, Any] = {
    "id": FLOW_ID,
    "source_id": FLOW_ID,
    "format": "urn:x-nmos:format:video",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence_parameters": {"frame_rate": {"numerator": 25}, "frame_width": 1920, "frame_height": 1080},
}
SEGMENT = {"object_id": "o", "timerange": "[0:0_1:0)"}
MANY = 100_000


def body_of(specification: Specification, operation_id: str) -> Validator:
    body = next(operation.body for operation in specification.operations if operation.id == operation_id)
    assert body is not None
    return body.validators["application/json"]


def many(*members: tuple[str, Any], value: Any = "x") -> dict[str, Any]:
    return {**{f"k{number}": value for number in range(MANY)}, **dict(members)}


CASES: list[tuple[str, Callable[[], Any], str, str]] = [
    ("PUT_flows-flowId-tags-name", lambda: [1] * MANY, "0", "1 must be of type string"),
    ("PUT_flows-flowId-tags-name", lambda: ["x"] * MANY + [None], str(MANY), "null must be of type string"),
    ("PUT_flows-flowId-tags-name", lambda: {LONG: [1] * MANY}, "", "must be of type string or array"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "tags": {LONG: [1] * MANY}}, f"tags.{'n' * 97}....0", "type string"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "tags": many(("last", 5))}, "tags.last", "5"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "tags": many(), "label": 5}, "label", "5 must be of type string"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "flow_collection": [{}] * MANY}, "flow_collection.0.id", "is required"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "junk": [VIDEO] * MANY, "codec": "x"}, "codec", "must match"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "codec": "x" * 10**6}, "codec", "must match"),
    ("PUT_flows-flowId", lambda: {**VIDEO, "format": "other", "junk": many()}, "format", "must be one of"),
    ("PUT_flows-flowId", lambda: [VIDEO] * MANY, "", "must be of type object"),
    ("POST_flows-flowId-segments", lambda: [SEGMENT] * MANY + [{}], f"{MANY}.object_id", "is required"),
    ("POST_flows-flowId-segments", lambda: [{**SEGMENT, "get_urls": [1] * 10}] * MANY, "0.get_urls.0", "type object"),
    ("POST_webhooks", lambda: {"url": "x", "events": ["x"] * MANY}, "events.0", '"x" must be one of'),
    ("POST_webhooks", lambda: {"url": "x", "events": [], "api_key_value": [LONG] * MANY}, "api_key_value", "string"),
]


@pytest.mark.parametrize(("operation", "make", "field", "words"), CASES, ids=range(len(CASES)))
def test_the_first_fault_is_found_at_little_cost(
    specification: Specification, operation: str, make: Callable[[], Any], field: str, words: str
) -> None:
    validator, value = body_of(specification, operation), make()
    seconds = []
    for _ in range(3):
        started = time.process_time()
        violation = validator.violation(value)
        seconds.append(time.process_time() - started)
        assert violation is not None
        assert (violation.field, words in violation.text) == (field, True), violation.text
        assert len(violation.text) < 700
    assert min(seconds) < 0.3  # 10 to 30 ms on an idle core; a list of all errors takes 1 s and more


def test_a_secret_is_not_shown_however_large_the_body_is(specification: Specification) -> None:
    body = {"url": "x", "events": [], "tags": many(), "api_key_value": {**many(), "a": "hush"}}
    violation = body_of(specification, "POST_webhooks").violation(body)
    assert violation is not None
    assert violation.field == "api_key_value"
    assert "k0" not in violation.text


SCHEMAS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "array", "maxItems": 300}, list(range(1000))),
    ({"type": "array", "uniqueItems": True}, [*range(1000), 5]),
    ({"type": "array", "contains": {"type": "string"}}, list(range(1000))),
    ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}]}, ["", *range(1000)]),
    ({"type": "array", "minItems": 3, "items": {"type": "integer"}}, [*range(1000), "x"]),
    ({"type": "object", "propertyNames": {"maxLength": 3}}, {f"k{n}": 0 for n in range(1000)}),
    ({"type": "object", "patternProperties": {"9$": {"type": "string"}}}, {f"k{n}": 0 for n in range(1000)}),
    ({"type": "object", "maxProperties": 9}, {f"k{n}": 0 for n in range(1000)}),
    ({"type": "object", "unevaluatedProperties": {"type": "string"}}, {f"k{n}": 0 for n in range(1000)}),
    ({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": False}, {f"k{n}": 0 for n in range(1000)}),
    ({"type": "string", "maxLength": 5000}, "x" * 6000),
    ({"type": "string", "pattern": "^x*$"}, "x" * 6000 + "y"),
    ({"not": {"type": "array", "items": {"type": "integer"}}}, list(range(1000))),
    ({"oneOf": [{"items": {"type": "integer"}}, {"items": {"minimum": 0}}]}, list(range(1000))),
    ({"$ref": "#/components/schemas/tree"}, [[[[1000 * [1]] * 3] * 3] * 3, [[["x"]]]]),
]
TREE = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/components/schemas/tree"}}]}


@pytest.mark.parametrize(("schema", "value"), SCHEMAS, ids=range(len(SCHEMAS)))
def test_any_schema_gets_an_error_and_an_existing_path(schema: dict[str, Any], value: Any) -> None:
    validator = SchemaValidators({"components": {"schemas": {"tree": TREE}}}).validator(schema)
    violation = validator.violation(value)
    assert violation is not None
    assert violation.text
    for part in violation.path:
        value = value[part]


def test_valid_values_have_no_violation(specification: Specification) -> None:
    assert body_of(specification, "PUT_flows-flowId").violation({**VIDEO, "tags": many()}) is None


def test_equal_schemas_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    compile_ = jsonschema_rs.Draft202012Validator

    def count(schema: Any, **options: Any) -> Any:
        compiled.append(schema)
        return compile_(schema, **options)

    monkeypatch.setattr(jsonschema_rs, "Draft202012Validator", count)
    validators = SchemaValidators({"components": {"schemas": {"tree": TREE}}})
    value = [*range(1000), "x"]
    for title in ("one", "other", "third"):
        schema = {"type": "array", "items": {"$ref": "#/components/schemas/tree"}, "title": title}
        assert validators.validator(schema).violation(value) is not None
    unlike = [{name: rule for name, rule in schema.items() if name != "title"} for schema in compiled]
    assert len(unlike) == len({json.dumps(schema, sort_keys=True) for schema in unlike})
