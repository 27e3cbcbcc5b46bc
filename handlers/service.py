"""The service itself and its storage backends."""

from handlers.shared.call import Call, Result
from handlers.shared.filters import tag_filter
from handlers.shared.paging import page_or_start, page_result
from storage.catalog.service import service_version
from storage.preconditions import ResourceVersion

_ROOT_PATHS = ["service", "flows", "sources", "flow-delete-requests"]


def get_root(call: Call) -> Result:
    return Result(200, _ROOT_PATHS, version=ResourceVersion())


def get_service(call: Call) -> Result:
    versions = {"api_version": call.api_version, "service_version": call.software_version}
    service = call.catalog.service.get()
    return Result(200, service | versions, version=service_version(service))


def post_service(call: Call) -> Result:
    call.catalog.service.update(call.body, call.preconditions)
    return Result(200)


def get_storage_backends(call: Call) -> Result:
    tags, service = tag_filter(call), call.catalog.service
    return page_result(call, page_or_start(call, lambda request: service.backends(call.caller, tags, request)))
