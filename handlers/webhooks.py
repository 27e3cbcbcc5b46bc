"""Webhooks."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_or_start, page_result


def get_webhooks(call: Call) -> Result:
    tags = tag_filter(call)
    return page_result(
        call, page_or_start(call, lambda request: call.catalog.webhooks.page(call.caller, tags, request))
    )


def post_webhooks(call: Call) -> Result:
    return Result(201, call.catalog.webhooks.create(call.caller, call.body, call.base_url))


def get_webhooks_webhookid(call: Call) -> Result:
    webhook, version = call.catalog.webhooks.get_with_version(call.caller, call.path["webhookId"])
    return Result(200, webhook, version=version)


def put_webhooks(call: Call) -> Result:
    webhooks, id_ = call.catalog.webhooks, call.path["webhookId"]
    return Result(201, webhooks.replace(call.caller, id_, call.body, call.base_url, call.preconditions))


def delete_webhooks_webhookid(call: Call) -> Result:
    call.catalog.webhooks.delete(call.caller, call.path["webhookId"], call.preconditions)
    return Result(204)
