"""Liveness and readiness: whether this process runs, and whether it can serve requests."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.types import Scope

from tams_server.deadline import CallWithDeadline
from tams_server.pages.page import PageContent, WebPage


def liveness_page() -> WebPage:
    """The page that says {"status": "alive"} as long as the process handles requests."""

    async def render(_scope: Scope) -> PageContent:
        return _content({"status": "alive"})

    return WebPage(render)


def readiness_page(check_writable: Callable[[], Mapping[str, str]]) -> WebPage:
    """The page that says {"status": "ready"}, with the storage backends that are unavailable, if any.

    check_writable: returns the problem of each unavailable storage backend by id, or raises Unavailable if the
    catalogue cannot be written or no storage backend can be used. The page raises Unavailable then, and at the
    deadline. It does not use the threads of the API, since all of them may be waiting for the catalogue.
    """
    readiness = CallWithDeadline(check_writable)

    async def render(_scope: Scope) -> PageContent:
        unavailable = await readiness.wait()
        document: dict[str, Any] = {"status": "ready"}
        if unavailable:
            document["unavailable_storage_backends"] = unavailable
        return _content(document)

    return WebPage(render)


def _content(document: Mapping[str, Any]) -> PageContent:
    return PageContent(orjson.dumps(document), "application/json")
