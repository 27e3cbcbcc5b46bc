"""Paging in HTTP: the page that a request asks for, and the paging headers of a response (PAGE-*)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from handlers.shared.call import Call, Result
from storage.catalog.paging import Page, PageRequest


def page_request(call: Call) -> PageRequest:
    query = call.query
    return PageRequest(query.get("limit"), query.get("page"), query.get("reverse_order", False))


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

    It is built from the parsed parameters, with one parameter for each item of a list, so that it contains neither
    comma nor semicolon: some clients split the Link header at these.
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
