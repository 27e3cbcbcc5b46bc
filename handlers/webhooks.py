"""Webhooks, which this service does not offer: every operation on them answers 404 (HOOK-LIST-07), and
`event_stream_mechanisms` of the service does not list them."""

from typing import NoReturn

from handlers.call import Call
from storage.errors import NotFound


def refuse(call: Call) -> NoReturn:
    """Raises NotFound."""
    raise NotFound("this service offers no webhooks", behaviour="HOOK-LIST-07")


get_webhooks = post_webhooks = refuse
get_webhooks_webhookid = put_webhooks = delete_webhooks_webhookid = refuse
