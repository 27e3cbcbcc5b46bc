"""Pages that end early because their items are large: the bytes of a response are bounded, not only its items.

A page is measured once it is encoded, which costs nothing. The few that are too long are made again with fewer items,
and carry the key of the next page as any other.
"""

from collections.abc import Callable
from dataclasses import replace

from handlers.shared.call import Call
from storage.waiting import about_to_wait
from tams_server.http.responses import Response

PAGE_BYTES = 4 * 2**20
"""The longest page of more than one item."""
_HEADROOM = 0.9
"""Of the items that would fit if all had the same size, how many are tried."""


def within_page_bytes(respond: Callable[[Call], Response], call: Call) -> Response:
    """Return the response to a call: if it is a page that is too long, one with fewer items."""
    response = respond(call)
    while len(response.body) > PAGE_BYTES:
        count = _count(response)
        if count <= 1 or (call.longest_page is not None and count > call.longest_page):
            break
        about_to_wait()
        fitting = int(count * PAGE_BYTES / len(response.body) * _HEADROOM)
        call = replace(call, longest_page=max(1, fitting))
        response = respond(call)
    return response


def _count(response: Response) -> int:
    """How many items a page has; 0 for other responses."""
    return next((int(value) for name, value in response.headers if name == b"x-paging-count"), 0)
