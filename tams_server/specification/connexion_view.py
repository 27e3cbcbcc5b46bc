"""The OpenAPI 3.0 view of the document for Connexion, reduced to what routing and security need.

Connexion reads OpenAPI 3.0 and JSON Schema Draft 4; the document is OpenAPI 3.1 with JSON Schema 2020-12. The view
therefore keeps operations, parameter names and security, and leaves validation to our own validators. It has no HEAD
operations: HEAD is served as GET without a body.
"""

from tams_server.specification.document import METHODS, Json
from tams_server.specification.operations import APART_MARK


def connexion_view(document: Json) -> Json:
    """Return an OpenAPI 3.0 document with the operations of `document`, whose paths start at "/"."""
    info = document["info"]
    return {
        "openapi": "3.0.3",
        "info": {"title": info["title"], "version": str(info["version"])},
        "servers": [{"url": "/"}],
        "security": document.get("security", []),
        "components": {"securitySchemes": document["components"]["securitySchemes"]},
        "paths": {path: view for path, item in document["paths"].items() if (view := _path_item(item))},
    }


def _path_item(item: Json) -> Json:
    methods = [method for method in METHODS if method in item and method != "head"]
    return {method: _operation(item[method]) for method in methods if not item[method].get(APART_MARK)}


def _operation(source: Json) -> Json:
    view: Json = {
        "operationId": source["operationId"],
        "parameters": [_parameter(parameter) for parameter in source.get("parameters", [])],
        "responses": {str(status): {"description": ""} for status in source.get("responses", {"default": {}})},
    }
    if "security" in source:
        view["security"] = source["security"]
    if "requestBody" in source:
        content: Json = {media: {"schema": {}} for media in source["requestBody"]["content"]}
        view["requestBody"] = {"content": content, "required": bool(source["requestBody"].get("required"))}
    return view


def _parameter(source: Json) -> Json:
    kept: Json = {key: source[key] for key in ("name", "in", "required") if key in source}
    return {**kept, "schema": {"type": "string"}}
