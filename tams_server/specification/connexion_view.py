"""The OpenAPI 3.0 view of the document that Connexion is given: what it routes and resolves by, and nothing else.

Connexion reads OpenAPI 3.0 and JSON Schema Draft 4, the document is OpenAPI 3.1 and JSON Schema 2020-12; so the view
has the operations, their parameters' names and types and the security, while schemas are checked by our own validators.
HEAD operations are left out, since HEAD is GET without a body.
"""

from tams_server.specification.document import METHODS, Json


def connexion_view(document: Json) -> Json:
    """An OpenAPI 3.0 document with the operations of `document`, routed from "/"."""
    info = document["info"]
    return {
        "openapi": "3.0.3",
        "info": {"title": info["title"], "version": str(info["version"])},
        "servers": [{"url": "/"}],
        "security": document.get("security", []),
        "components": {"securitySchemes": document["components"]["securitySchemes"]},
        "paths": {path: _path_item(item) for path, item in document["paths"].items()},
    }


def _path_item(item: Json) -> Json:
    return {method: _operation(item[method]) for method in METHODS if method in item and method != "head"}


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
