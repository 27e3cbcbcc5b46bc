"""Profiles."""

from handlers.shared.call import Answer, Call
from handlers.shared.paging import page_answer, page_request

_FILTERS = ("format", "codec", "label")


def get_profiles(call: Call) -> Answer:
    filters = {name: call.query[name] for name in _FILTERS if name in call.query}
    return page_answer(call, call.catalog.profiles.page(filters, page_request(call)))


def get_profiles_profileid(call: Call) -> Answer:
    return Answer(200, call.catalog.profiles.get(call.path["profileId"]))


def post_profiles_profileid(call: Call) -> Answer:
    return Answer(201, call.catalog.profiles.create(call.caller, call.path["profileId"], call.body))
