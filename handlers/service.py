"""The service itself and its storage backends."""

from handlers.shared.call import Answer, Call
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_answer, page_request

_ROOTS = ["service", "flows", "sources", "flow-delete-requests"]


def get_root(call: Call) -> Answer:
    return Answer(200, _ROOTS)


def get_service(call: Call) -> Answer:
    return Answer(200, call.catalog.service.get())


def post_service(call: Call) -> Answer:
    call.catalog.service.update(call.body)
    return Answer(200)


def get_storage_backends(call: Call) -> Answer:
    return page_answer(call, call.catalog.service.backends(tag_filter(call), page_request(call)))
