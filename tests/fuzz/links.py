"""A document for sequences of operations: what one answers is an input of others (OpenAPI links)."""

from tests.conformance.kit.documents import Json

OBJECT = {"objectId": "$response.body#/0/object_id"}
FLOW = {"flowId": "$request.path.flowId"}
HOOK = {"webhookId": "$response.body#/id"}
SAME_HOOK = {"webhookId": "$request.path.webhookId"}

LINKS = (
    ("POST_webhooks", "201", "GET_webhooks-webhookId", HOOK),
    ("POST_webhooks", "201", "PUT_webhooks", HOOK),
    ("POST_webhooks", "201", "DELETE_webhooks-webhookId", HOOK),
    ("PUT_webhooks", "201", "GET_webhooks-webhookId", HOOK),
    ("PUT_webhooks", "201", "DELETE_webhooks-webhookId", HOOK),
    ("DELETE_webhooks-webhookId", "204", "GET_webhooks-webhookId", SAME_HOOK),
    ("DELETE_webhooks-webhookId", "204", "PUT_webhooks", SAME_HOOK),
    ("GET_flows-flowId-segments", "200", "GET_objects", OBJECT),
    ("GET_flows-flowId-segments", "200", "POST_objects-instances", OBJECT),
    ("GET_flows-flowId-segments", "200", "DELETE_objects-instances", OBJECT),
    ("POST_flows-flowId-segments", "201", "GET_flows-flowId-segments", FLOW),
    ("POST_flows-flowId-storage", "201", "POST_flows-flowId-segments", FLOW),
    ("DELETE_flows-flowId-segments", "204", "GET_flows-flowId-segments", FLOW),
    ("DELETE_flows-flowId", "204", "GET_flows-flowId", FLOW),
    ("DELETE_flows-flowId", "204", "PUT_flows-flowId", FLOW),
    ("DELETE_flows-flowId", "202", "GET_flow-delete-requests-request-id", {"request-id": "$response.body#/id"}),
)
"""Operation, status of its answer, operation that follows, its inputs: those that the tool does not find by itself."""


def linked(document: Json) -> Json:
    """The document with links, and with whole listings to begin with: a filtered one is often empty."""
    operations = {}
    for path, item in document["paths"].items():
        if "{" not in path and "get" in item:
            item["get"]["parameters"] = []
        operations |= {operation["operationId"]: operation for operation in item.values()}
    for source, status, target, inputs in LINKS:
        links = operations[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": target, "parameters": inputs}
    return document
