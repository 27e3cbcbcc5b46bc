"""Paging in HTTP: the page that a request asks for, and the paging headers of a response (PAGE-*)."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from handlers.shared.call import ABSENT, Call, Result
from storage.catalog.paging import Page, PageRequest
from storage.errors import Invalid
from storage.nul import escape_nul
from storage.waiting import about_to_take_long

_SAFE = "%?/:@!$&'()*+=~"
"""The characters that stay as the client sent them, besides letters, digits, ".", "_" and "-"."""
_LONG_URL = 2000
_LONGEST_AT_ONCE = 300
"""The most items of a page that is made at once. They take less time than Python lets a thread run before another."""
_LONGEST = 2**31
"""A limit that every service lowers to the one it allows."""


def page_request(call: Call) -> PageRequest:
    """Return the page that a request asks for. A long page is left to a thread that has time for it."""
    query = call.query
    limit = call.longest_page or query.get("limit")
    if limit is not None and limit > _LONGEST_AT_ONCE:
        about_to_take_long()
    return PageRequest(limit, query.get("page") or None, query.get("reverse_order", False))


def page_or_start(call: Call, select: Callable[[PageRequest], Page]) -> Page:
    """Return the requested page of a listing for which no 400 is documented (A07).

    A page key that the listing did not issue selects the start of the listing, in a page as long as the service allows.
    So no item is lost, and a client that garbles all page keys does not ask for the same short page for ever.
    select: returns a page of the listing. Raises Invalid with the field `page_key` for such a key.
    """
    request = page_request(call)
    try:
        return select(request)
    except Invalid as error:
        if error.field != "page_key":
            raise
        return select(PageRequest(limit=call.longest_page or _LONGEST, reverse=request.reverse))


def page_result(call: Call, page: Page, headers: dict[str, str] | None = None) -> Result:
    """Return a page with all paging headers (PAGE-01, -02, -07, -10, -11)."""
    counted = {
        "X-Paging-Count": str(len(page.items)),
        "X-Paging-Reverse-Order": "true" if page.reverse else "false",
    }
    return Result(200, page.items, {**next_headers(call, page.limit, page.next_key), **counted, **(headers or {})})


def next_headers(call: Call, limit: int, next_key: str | None) -> dict[str, str]:
    """Return the headers with the limit in force and, if there is a next page, its key and link."""
    headers = {"X-Paging-Limit": str(limit)}
    if next_key is not None:
        headers["X-Paging-NextKey"] = next_key
        headers["Link"] = f'<{_next_url(call, next_key)}>; rel="next"'
    return headers


def _next_url(call: Call, next_key: str) -> str:
    """Return the URL of the same request for the next page, without the access token (PAGE-05, AUTH-08).

    It contains neither comma nor semicolon, since some clients split the Link header at these: a list becomes one
    parameter for each of its items. That repeats the name, so a long query stays as the client sent it.
    """
    path, _, query = call.target.partition("?")
    pairs = [(pair, _parsed(call, pair)) for pair in query.split("&")]
    kept = [(pair, value) for pair, value in pairs if value is not ABSENT]
    start, end = f"{call.base_url}{quote(path, safe=_SAFE, encoding='latin-1')}?", f"page={quote(next_key, safe='')}"
    url = start + "".join(f"{each}&" for pair, value in kept for each in _without_commas(pair, value)) + end
    if len(url) > _LONG_URL:
        return start + "".join(f"{quote(pair, safe=_SAFE + ',;', encoding='latin-1')}&" for pair, _ in kept) + end
    return url


def _parsed(call: Call, pair: str) -> Any:
    """Return the value of a parameter that the operation takes; ABSENT for others, and for `page`.

    pair: name and value as the client sent them.
    """
    raw_name = pair.partition("=")[0]
    if raw_name in call.query and raw_name != "page":
        return call.query[raw_name]
    name = escape_nul(unquote_to_bytes(raw_name.replace("+", " ").encode("latin-1")).decode("utf-8", "replace"))
    if name == "page":
        return ABSENT
    if name in call.query:
        return call.query[name]
    prefix, _, key = name.partition(".")
    templated = call.query.get(prefix)
    return templated.get(key, ABSENT) if isinstance(templated, dict) else ABSENT


def _without_commas(pair: str, parsed: Any) -> Iterator[str]:
    name, equals, value = pair.partition("=")
    for item in value.split(",") if isinstance(parsed, list) else [value]:
        yield quote(f"{name}{equals}{item}", safe=_SAFE, encoding="latin-1")
