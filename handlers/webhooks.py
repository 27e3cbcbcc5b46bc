"""Webhooks, which this service does not offer: every operation on them answers 404 (HOOK-LIST-07), and
`event_stream_mechanisms` of the service does not list them."""

from handlers.call import Answer, Call
from storage.errors import NotFound


def _not_offered(call: Call) -> Answer:
    raise NotFound("this service offers no webhooks", behaviour="HOOK-LIST-07")


get_webhooks = post_webhooks = _not_offered
get_webhooks_webhookid = put_webhooks = delete_webhooks_webhookid = _not_offered
