"""The service itself and its storage backends."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_request, page_result

_ROOT_PATHS = ["service", "flows", "sources", "flow-delete-requests"]


def get_root(call: Call) -> Result:
    return Result(200, _ROOT_PATHS)


def get_service(call: Call) -> Result:
    versions = {"api_version": call.api_version, "service_version": call.software_version}
    return Result(200, call.catalog.service.get() | versions)


def post_service(call: Call) -> Result:
    call.catalog.service.update(call.body)
    return Result(200)


def get_storage_backends(call: Call) -> Result:
    return page_result(call, call.catalog.service.backends(tag_filter(call), page_request(call)))
