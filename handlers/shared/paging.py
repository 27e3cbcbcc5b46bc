"""Pages in HTTP: what a request asks for, and the headers that lead to the next page (PAGE-*)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from handlers.shared.call import Call, Result
from storage.catalog.paging import Page, PageRequest


def page_request(call: Call) -> PageRequest:
    query = call.query
    return PageRequest(query.get("limit"), query.get("page"), query.get("reverse_order", False))


def page_result(call: Call, page: Page, headers: dict[str, str] | None = None) -> Result:
    """A page with all paging headers (PAGE-01, -02, -07, -10, -11)."""
    counted = {
        "X-Paging-Count": str(len(page.items)),
        "X-Paging-Reverse-Order": "true" if page.reverse else "false",
    }
    return Result(200, page.items, {**next_headers(call, page.limit, page.next_key), **counted, **(headers or {})})


def next_headers(call: Call, limit: int, next_key: str | None) -> dict[str, str]:
    """The limit in force, and where the next page is if there is one."""
    headers = {"X-Paging-Limit": str(limit)}
    if next_key is not None:
        headers["X-Paging-NextKey"] = next_key
        headers["Link"] = f'<{_next_url(call, next_key)}>; rel="next"'
    return headers


def _next_url(call: Call, next_key: str) -> str:
    """The same request for the next page: all that was asked, without the access token (PAGE-05, T26).

    Built from the parameters as they were understood, with a list's values one by one, so that it holds no comma
    and no semicolon: some clients split a Link at these.
    """
    pairs = [*_pairs({name: value for name, value in call.query.items() if name != "page"}), ("page", next_key)]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    path = call.target.partition("?")[0].replace(",", "%2C").replace(";", "%3B")
    return f"{call.base_url}{path}?{query}"


def _pairs(query: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if isinstance(value, dict):
            yield from _pairs(value, f"{name}.")
        elif isinstance(value, list):
            yield from ((prefix + name, text) for text in value or [""])
        else:
            yield prefix + name, str(value).lower() if isinstance(value, bool) else str(value)
