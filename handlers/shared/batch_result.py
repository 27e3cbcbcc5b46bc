"""The response to requests that create one thing or several (F5, F6)."""

from collections.abc import Callable, Sequence

from handlers.shared.call import Call, Result
from handlers.shared.resource_url import resource_url
from storage.catalog.batch import Item, Outcome, failed_item
from storage.errors import TamsError


def creation_result(
    call: Call, name: str, create: Callable[[Sequence[Item]], list[Outcome]], ids: Sequence[str] = ("id",)
) -> Result:
    """201 with the documents of all that was created; 200 with them and with the items that failed.

    One item that is no list is an error if it fails, and its location is in the response if not.

    name: of what is created, in the plural. ids: the members of an item that identify it.
    """
    single = isinstance(call.body, dict)
    items = [call.body] if single else call.body
    outcomes = create(items)
    created = [outcome for outcome in outcomes if not isinstance(outcome, TamsError)]
    if single:
        [outcome] = outcomes
        if isinstance(outcome, TamsError):
            raise outcome
        return Result(201, outcome, {"Location": resource_url(call, name, outcome["id"])})
    if len(created) == len(items):
        return Result(201, created)
    now = call.catalog.clock()
    failed = [
        failed_item(number, items[number], ids, outcome, now)
        for number, outcome in enumerate(outcomes)
        if isinstance(outcome, TamsError)
    ]
    return Result(200, {name: created, f"failed_{name}": failed})
