"""Profiles."""

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_request, page_result
from storage.preconditions import ResourceVersion

_FILTERS = ("format", "codec", "label")


def get_profiles(call: Call) -> Result:
    filters = {name: call.query[name] for name in _FILTERS if name in call.query}
    return page_result(call, call.catalog.profiles.page(filters, page_request(call)))


def get_profiles_profileid(call: Call) -> Result:
    return Result(200, call.catalog.profiles.get(call.path["profileId"]), version=ResourceVersion())


def post_profiles_profileid(call: Call) -> Result:
    profile_id = call.path["profileId"]
    return Result(201, call.catalog.profiles.create(call.caller, profile_id, call.body, call.preconditions))
