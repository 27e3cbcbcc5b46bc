"""OpenAPI links for sequences of operations, in which responses are inputs of later requests."""

from tests.conformance.kit.documents import Json

OBJECT = {"objectId": "$response.body#/0/object_id"}
FLOW = {"flowId": "$request.path.flowId"}
WEBHOOK = {"webhookId": "$response.body#/id"}
SAME_WEBHOOK = {"webhookId": "$request.path.webhookId"}

LINKS = (
    ("POST_webhooks", "201", "GET_webhooks-webhookId", WEBHOOK),
    ("POST_webhooks", "201", "PUT_webhooks", WEBHOOK),
    ("POST_webhooks", "201", "DELETE_webhooks-webhookId", WEBHOOK),
    ("PUT_webhooks", "201", "GET_webhooks-webhookId", WEBHOOK),
    ("PUT_webhooks", "201", "DELETE_webhooks-webhookId", WEBHOOK),
    ("DELETE_webhooks-webhookId", "204", "GET_webhooks-webhookId", SAME_WEBHOOK),
    ("DELETE_webhooks-webhookId", "204", "PUT_webhooks", SAME_WEBHOOK),
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
"""Links that schemathesis does not infer: operation, status of its response, next operation, its inputs."""


def with_links(document: Json) -> Json:
    """Add the links, and remove filters from listings, because filtered listings are often empty."""
    operations: dict[str, Json] = {}
    for path, item in document["paths"].items():
        if "{" not in path and "get" in item:
            item["get"]["parameters"] = []
        operations |= {operation["operationId"]: operation for operation in item.values()}
    for source, status, target, inputs in LINKS:
        links = operations[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": target, "parameters": inputs}
    return document
