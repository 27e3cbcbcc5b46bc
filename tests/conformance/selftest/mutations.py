"""Small changes of requests and responses, from which faults are composed."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.conformance.selftest.exchange import Request, Response

Before = Callable[[Request], Request]
After = Callable[[Request, Response], Response]
Matches = Callable[[Request], bool]

READ = "GET HEAD"
SOURCE = "/sources/{}"
FLOWS = "/flows"
FLOW = "/flows/{}"
SEGMENTS = "/flows/{}/segments"
STORAGE = "/flows/{}/storage"
OBJECT = "/objects/{}"


def at(methods: str, path: str) -> Matches:
    """Match requests with one of the methods at a path, in which {} matches any one segment."""
    pattern = re.compile(re.escape(path).replace(r"\{\}", "[^/]+"))
    return lambda request: request.method in methods.split() and bool(pattern.fullmatch(request.path))


# -- Changes of requests


def on_request(methods: str, path: str, change: Before) -> Before:
    matches = at(methods, path)
    return lambda request: change(request) if matches(request) else request


def ignore_parameters(methods: str, path: str, *names: str) -> Before:
    """The server ignores these query parameters."""
    return on_request(methods, path, lambda request: request.without(*names))


def force_parameter(methods: str, path: str, name: str, value: str) -> Before:
    """The server behaves as if the query had this parameter."""
    return on_request(methods, path, lambda request: request.without(name).adding(name, value))


def change_parameter(methods: str, path: str, name: str, change: Callable[[str], str]) -> Before:
    """The server misreads the value of a query parameter."""
    return on_request(methods, path, lambda request: request.changed(name, change))


def change_request_body(methods: str, path: str, change: Callable[[Request, Any], Any]) -> Before:
    """The server misreads the JSON body."""
    return on_request(methods, path, lambda request: request.with_json(lambda document: change(request, document)))


# -- Changes of responses


def on_response(methods: str, path: str, change: After) -> After:
    matches = at(methods, path)
    return lambda request, response: change(request, response) if matches(request) else response


def change_response_body(methods: str, path: str, change: Callable[[Any], Any]) -> After:
    """The response has another JSON body."""
    return on_response(methods, path, lambda _, response: response.with_json(change))


def drop_headers(methods: str, path: str, *names: str) -> After:
    """The response lacks these headers."""
    return on_response(methods, path, lambda _, response: response.without(*names))


def replace_header(methods: str, path: str, name: str, value: str) -> After:
    """A header, if present, has another value."""
    return on_response(methods, path, lambda _, response: response.setting(name, value))


def replace_status(methods: str, path: str, changes: dict[int, int], document: Any = None) -> After:
    """The response has another status. changes: new statuses by old. document: the new body; None for no body."""
    return on_response(
        methods,
        path,
        lambda _, response: (
            response.replaced_by(changes[response.status], document) if response.status in changes else response
        ),
    )


# -- Single faults


def link_after_last_page(request: Request, response: Response) -> Response:
    """The last page links to another one."""
    if response.status != 200 or response.header("link"):
        return response
    return response.adding("Link", f'<{request.path}?page=more>; rel="next"').adding("X-Paging-NextKey", "more")


def drop_link_parameters(*names: str) -> After:
    """The link to the next page lacks these parameters."""

    def change(_: Request, response: Response) -> Response:
        pattern = rf"(?<=[?&])(?:{'|'.join(map(re.escape, names))})=[^&>]*&?"
        return response.setting("Link", re.sub(pattern, "", response.header("link") or ""))

    return change


def skip_first_item(request: Request, response: Response) -> Response:
    """Each page after the first lacks its first item."""
    return response.with_json(lambda items: items[1:]) if request.has("page") else response


def clip_to_query(request: Request, response: Response) -> Response:
    """Segments are clipped to the requested timerange."""
    asked = request.parameter("timerange")
    return response.with_json(lambda items: [{**item, "timerange": asked} for item in items]) if asked else response


def not_found_if_empty(_: Request, response: Response) -> Response:
    """An empty listing returns 404."""
    return response.replaced_by(404) if response.body == b"[]" else response


def accept_if_rejected(request: Request, response: Response) -> Response:
    """A rejected creation is reported as successful."""
    return response.replaced_by(201, json.loads(request.body)) if response.status == 400 else response


def empty_page_if_unknown(request: Request, response: Response) -> Response:
    """An unknown page key returns an empty page."""
    return response.replaced_by(200, []) if response.status == 400 and request.has("page") else response


def id_from_path(request: Request, document: Any) -> Any:
    """The id in the path overrides the one in the body."""
    return {**document, "id": request.path.rpartition("/")[2]}


def change_members(changes: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Change these members of a document, if present."""
    return lambda document: {
        name: changes[name](value) if name in changes else value for name, value in document.items()
    }


def drop_members(*names: str) -> Callable[[Any], Any]:
    return lambda document: {name: value for name, value in document.items() if name not in names}


def change_each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: [change(item) for item in items]


def reverse_list(items: Sequence[Any]) -> list[Any]:
    return list(items)[::-1]


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def truncate_to_microseconds(text: str) -> str:
    """Truncate the timestamps of a timerange to microseconds."""
    return re.sub(r":(\d+)", lambda match: f":{int(match[1]) // 1000 * 1000}", text)


def join_items(text: str) -> str:
    """Return the list as one item, in which semicolons stand for its commas."""
    return text.replace(",", ";")


def set_generic_type(put_url: Any) -> Any:
    return {**put_url, "content-type": "application/octet-stream"}


def read_instead(request: Request) -> Request:
    """A deletion deletes nothing: the server gets a GET."""
    return replace(request, method="GET")


def corrupt_media(request: Request, response: Response) -> Response:
    """Downloads return other bytes than were uploaded."""
    return replace(response, body=response.body[::-1]) if at("GET", "/media/{}/{}")(request) else response
