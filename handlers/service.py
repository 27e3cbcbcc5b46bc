"""The service itself and its storage backends."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_request, page_result

_ROOTS = ["service", "flows", "sources", "flow-delete-requests"]


def get_root(call: Call) -> Result:
    return Result(200, _ROOTS)


def get_service(call: Call) -> Result:
    return Result(200, call.catalog.service.get())


def post_service(call: Call) -> Result:
    call.catalog.service.update(call.body)
    return Result(200)


def get_storage_backends(call: Call) -> Result:
    return page_result(call, call.catalog.service.backends(tag_filter(call), page_request(call)))
