"""Loading the specification: references, the overlay and operations, from our own folder or another copy."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from handlers.shared.call import Call, Result
from tams_server.app import read_specification
from tams_server.http.authentication import check_schemes
from tams_server.http.operation_handlers import find_handlers, function_name, module_name
from tams_server.settings import Settings
from tams_server.specification.connexion_view import connexion_view
from tams_server.specification.document import SpecificationError, load_document
from tams_server.specification.load import Specification
from tams_server.specification.operations import Operation
from tams_server.specification.overlay import apply_overlay, merge
from tests.unit.stub_handlers import StubHandlers


def write_api(folder: Path, document: dict[str, Any], **schemas: Any) -> Path:
    (folder / "schemas").mkdir()
    (folder / "examples").mkdir()
    head = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}
    (folder / "TimeAddressableMediaStore.yaml").write_text(yaml.safe_dump({**head, **document}))
    for name, schema in schemas.items():
        (folder / "schemas" / f"{name}.json").write_text(json.dumps(schema))
    (folder / "examples" / "e.json").write_text('{"$ref": "kept as it is"}')
    return folder


def overlay(folder: Path, *actions: dict[str, Any]) -> Path:
    file = folder / "overlay.yaml"
    file.write_text(yaml.safe_dump({"overlay": "1.0.0", "info": {}, "actions": list(actions)}))
    return file


def test_the_served_document_is_self_contained(specification: Specification) -> None:
    text = json.dumps(specification.document)
    assert '"externalValue"' not in text
    assert ".json#" not in text
    assert not re.search(r'"\$ref": "[^#]', text)
    assert set(specification.document["components"]) == {"schemas", "securitySchemes"}


def test_schema_files_become_components(tmp_path: Path) -> None:
    schema = {"$id": "x", "properties": {"a": {"$ref": "b.json#/$defs/c"}, "default": {"$ref": "#/properties/a"}}}
    folder = write_api(tmp_path, {}, a=schema, b={"$defs": {"c": True}})
    schemas = load_document(folder)["components"]["schemas"]
    assert schemas["a"] == {
        "properties": {
            "a": {"$ref": "#/components/schemas/b/$defs/c"},
            "default": {"$ref": "#/components/schemas/a/properties/a"},
        }
    }


def test_other_references_are_replaced_by_their_targets_and_siblings_kept(tmp_path: Path) -> None:
    responses = {
        "200": {"$ref": "#/components/responses/ok", "headers": {"Link": {"schema": {"type": "string"}}}},
        "201": {"description": "", "content": {"application/json": {"example": {"$ref": "examples/e.json"}}}},
        "202": {"content": {"application/json": {"examples": {"one": {"externalValue": "examples/e.json"}}}}},
    }
    shared = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    document = {
        "paths": {"/x/{id}": {"parameters": shared, "get": {"operationId": "x", "responses": responses}}},
        "components": {"responses": {"ok": {"description": "fine"}}},
    }
    get = load_document(write_api(tmp_path, document))["paths"]["/x/{id}"]["get"]
    assert get["parameters"] == shared
    assert get["responses"]["200"] == {"description": "fine", "headers": {"Link": {"schema": {"type": "string"}}}}
    assert get["responses"]["201"]["content"]["application/json"]["example"] == {"$ref": "kept as it is"}
    assert get["responses"]["202"]["content"]["application/json"]["examples"]["one"]["value"]


@pytest.mark.parametrize(
    "document",
    [
        {"openapi": "3.0.3"},
        {"paths": {"/": {"$ref": "#/components/nothing"}}},
        {"paths": {"/": {"get": {"parameters": [{"schema": {"$ref": "schemas/none.json"}}]}}}},
        {"paths": {"/": {"$ref": "#/paths/~1"}}},
    ],
)
def test_invalid_folders_are_rejected(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(SpecificationError):
        load_document(write_api(tmp_path, document))


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="No such file"):
        load_document(tmp_path)


def test_overlays_merge_append_replace_and_remove(tmp_path: Path) -> None:
    document: dict[str, Any] = {"a": {"list": [1], "text": "old", "inner": {"kept": 1}}, "b": {"gone": 1}, "c": [1]}
    file = overlay(
        tmp_path,
        {"target": "$.a", "update": {"list": [2], "text": "new", "inner": {"added": 2}}},
        {"target": "$.b.gone", "remove": True},
        {"target": "$.c", "update": {"x": 1}},
    )
    apply_overlay(document, file)
    assert document == {
        "a": {"list": [1, 2], "text": "new", "inner": {"kept": 1, "added": 2}},
        "b": {},
        "c": [1, {"x": 1}],
    }


def test_several_list_items_can_be_removed_at_once(tmp_path: Path) -> None:
    document: dict[str, Any] = {"a": [{"n": 1}, {"n": 2}, {"n": 1}]}
    apply_overlay(document, overlay(tmp_path, {"target": "$.a[?@.n == 1]", "remove": True}))
    assert document == {"a": [{"n": 2}]}


def test_targets_of_one_action_share_nothing(tmp_path: Path) -> None:
    document: dict[str, Any] = {"a": {"x": {}, "y": {}}}
    apply_overlay(document, overlay(tmp_path, {"target": "$.a.*", "update": {"list": [{}]}}))
    merge(document["a"]["x"]["list"][0], {"only": "here"})
    assert document["a"]["y"] == {"list": [{}]}


@pytest.mark.parametrize("target", ["$.nothing", "$[", "$.text"])
def test_invalid_overlay_actions_are_rejected(tmp_path: Path, target: str) -> None:
    with pytest.raises(SpecificationError, match="action 1"):
        apply_overlay({"text": "x"}, overlay(tmp_path, {"target": target, "update": {"x": 1}}))


def test_every_action_of_our_overlay_has_a_description() -> None:
    file = Path(__file__).parents[3] / "api" / "overlay.yaml"
    for action in yaml.safe_load(file.read_text())["actions"]:
        assert len(action["description"]) > 20, action["target"]


@pytest.mark.parametrize(("posted", "published"), [("flow-post", "flow-common"), ("source-post", "source")])
def test_what_a_post_creates_has_the_published_members(
    specification: Specification, posted: str, published: str
) -> None:
    """F5: a member that the standard adds must be added to the overlay too."""
    file = Path(__file__).parents[3] / "api" / "schemas" / f"{published}.json"
    members = json.loads(file.read_text())["properties"]
    declared = specification.document["components"]["schemas"][posted]["properties"]
    assert declared == {name: {"$ref": f"#/components/schemas/{published}/properties/{name}"} for name in members}


def test_what_a_flow_may_have_is_known_to_its_post(specification: Specification) -> None:
    """F5: members of a long list that are not known are dropped."""
    by_id = {operation.id: operation.body for operation in specification.operations}
    put, post = by_id["PUT_flows-flowId"], by_id["POST_flows"]
    assert put is not None
    assert post is not None
    assert post.members == put.members


def test_head_operations_are_derived(specification: Specification) -> None:
    assert {operation.method for operation in specification.operations} == {"GET", "PUT", "POST", "DELETE"}
    assert len(specification.operations) == 81
    assert not any("head" in item for item in connexion_view(specification.document)["paths"].values())


def test_every_operation_has_scopes(specification: Specification) -> None:
    for operation in specification.operations:
        assert operation.scopes <= {"read", "write", "delete", "admin"}
        assert operation.scopes


@pytest.mark.parametrize(
    ("tag", "module"), [("FlowSegments", "flow_segments"), ("Media storage", "media_storage"), ("a-b", "a_b")]
)
def test_tags_name_modules(tag: str, module: str) -> None:
    assert module_name(tag) == module


def test_operation_ids_name_functions() -> None:
    assert function_name("GET_flows-flowId-segments") == "get_flows_flowid_segments"
    assert function_name("DELETE_flows-flowId-read-only") == "delete_flows_flowid_read_only"


def test_missing_and_superfluous_handlers_are_all_reported(specification: Specification) -> None:
    stub = StubHandlers(specification.operations, "handlers_with_faults")
    try:
        flows = stub.modules["handlers_with_faults.flows"]
        del flows.get_flows  # type: ignore[attr-defined]

        def put_nothing(_call: Call) -> Result:
            return Result(204)

        flows.put_nothing = put_nothing  # type: ignore[attr-defined]
        with pytest.raises(SpecificationError) as caught:
            find_handlers(specification.operations, stub.package)
        assert "GET_flows: handlers_with_faults.flows.get_flows does not exist" in str(caught.value)
        assert "handlers_with_faults.flows.put_nothing: no operation has this handler" in str(caught.value)
    finally:
        stub.remove()


def test_the_projects_own_handlers_match(specification: Specification) -> None:
    assert len(find_handlers(specification.operations)) == 81


def test_unsupported_security_schemes_are_rejected() -> None:
    schemes = {"oauth": {"type": "oauth2", "flows": {}}}
    document = {"security": [{"oauth": []}], "components": {"securitySchemes": schemes}}
    with pytest.raises(SpecificationError, match="oauth"):
        check_schemes(document)


PUBLISHED = Path(__file__).parents[4] / "shared" / "spec" / "upstream"


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs a copy of the published specification")
def test_the_published_files_load_like_our_own(specification: Specification) -> None:
    """TAMS_API_DIR: both copies give the same operations, scopes and parameters."""
    published = read_specification(Settings(api_dir=PUBLISHED))

    def outline(operation: Operation) -> Any:
        query = sorted(
            (p.name, p.key, p.kind, p.has_commas_in_items) for p in [*operation.query.values(), *operation.templated]
        )
        body = operation.body and (operation.body.required, sorted(operation.body.validators))
        responses = {status: (r.body is not None, sorted(r.headers)) for status, r in operation.responses.items()}
        return operation.method, operation.path, operation.tag, operation.scopes, query, body, responses

    ours = {operation.id: outline(operation) for operation in specification.operations}
    assert {operation.id: outline(operation) for operation in published.operations} == ours
    assert len(find_handlers(published.operations)) == len(ours)
