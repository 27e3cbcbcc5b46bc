"""The service, its storage backends and profiles, webhooks, and deletions under way."""

from tams_server.client.calls.call import Call, Listing, json_of, nothing, put, quoted
from tams_server.client.models import (
    FlowDeleteRequest,
    NewWebhook,
    Profile,
    Service,
    ServiceChange,
    StorageBackend,
    Webhook,
    WebhookChange,
)


def service() -> Call[Service]:
    """What the service is and promises (service.json)."""
    return Call("GET", "/service", json_of)


def change_service(change: ServiceChange) -> Call[None]:
    """Change the name or description of the service (service-post.json)."""
    return Call("POST", "/service", nothing, (200, 201, 204), body=change, has_body=True)


def storage_backends() -> Listing[StorageBackend]:
    """The storage backends (storage-backends-list.json)."""
    return Listing("/service/storage-backends")


def profiles(**filters: str) -> Listing[Profile]:
    """The profiles, of a `format` if it is given."""
    return Listing("/service/profiles", filters)


def profile(profile_id: str) -> Call[Profile]:
    """One profile (profile.json)."""
    return Call("GET", f"/service/profiles/{quoted(profile_id)}", json_of)


def create_profile(profile: Profile) -> Call[None]:
    """Create a profile under the `id` in it."""
    path = f"/service/profiles/{quoted(profile['id'])}"
    return Call("POST", path, nothing, (200, 201, 204), body=profile, has_body=True, repeatable=False)


def webhooks(**filters: str) -> Listing[Webhook]:
    """The webhooks (webhook-get.json)."""
    return Listing("/service/webhooks", filters)


def webhook(webhook_id: str) -> Call[Webhook]:
    """One webhook (webhook-get.json)."""
    return Call("GET", f"/service/webhooks/{quoted(webhook_id)}", json_of)


def create_webhook(webhook: NewWebhook) -> Call[Webhook]:
    """Register a webhook (webhook-post.json). The result has its `id`."""
    return Call("POST", "/service/webhooks", json_of, (201,), body=webhook, has_body=True, repeatable=False)


def change_webhook(webhook: WebhookChange) -> Call[None]:
    """Replace a webhook (webhook-put.json)."""
    return put(f"/service/webhooks/{quoted(webhook['id'])}", webhook)


def delete_webhook(webhook_id: str) -> Call[None]:
    """Delete a webhook. Raises NotFound if there is none."""
    return Call("DELETE", f"/service/webhooks/{quoted(webhook_id)}", nothing, (204,))


def flow_delete_requests() -> Listing[FlowDeleteRequest]:
    """Deletions that the server carries out in the background (deletion-request.json)."""
    return Listing("/flow-delete-requests")


def flow_delete_request(request_id: str) -> Call[FlowDeleteRequest]:
    """One of them, with how far it has come."""
    return Call("GET", f"/flow-delete-requests/{quoted(request_id)}", json_of)
