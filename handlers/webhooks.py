"""Webhooks: registered, listed, changed and deleted."""

from handlers.shared.call import Answer, Call
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_answer, page_request


def get_webhooks(call: Call) -> Answer:
    return page_answer(call, call.catalog.webhooks.page(call.caller, tag_filter(call), page_request(call)))


def post_webhooks(call: Call) -> Answer:
    return Answer(201, call.catalog.webhooks.create(call.caller, call.body, call.base_url))


def get_webhooks_webhookid(call: Call) -> Answer:
    return Answer(200, call.catalog.webhooks.get(call.caller, call.path["webhookId"]))


def put_webhooks(call: Call) -> Answer:
    found = call.catalog.webhooks.replace(call.caller, call.path["webhookId"], call.body, call.base_url)
    return Answer(201, found)


def delete_webhooks_webhookid(call: Call) -> Answer:
    call.catalog.webhooks.delete(call.caller, call.path["webhookId"])
    return Answer(204)
