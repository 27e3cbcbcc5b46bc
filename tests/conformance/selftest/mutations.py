"""Small changes of requests and answers, made to be put together into faults."""

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
    """Requests with one of the methods, at a path of which {} stands for any one part."""
    pattern = re.compile(re.escape(path).replace(r"\{\}", "[^/]+"))
    return lambda request: request.method in methods.split() and bool(pattern.fullmatch(request.path))


# -- Before the server sees the request


def asking(methods: str, path: str, change: Before) -> Before:
    matches = at(methods, path)
    return lambda request: change(request) if matches(request) else request


def without(methods: str, path: str, *names: str) -> Before:
    """Parameters of the query that the server does not heed."""
    return asking(methods, path, lambda request: request.without(*names))


def with_parameter(methods: str, path: str, name: str, value: str) -> Before:
    """The server does what nobody asked for."""
    return asking(methods, path, lambda request: request.without(name).adding(name, value))


def misread(methods: str, path: str, name: str, change: Callable[[str], str]) -> Before:
    """The server takes a parameter for another value."""
    return asking(methods, path, lambda request: request.changed(name, change))


def sending(methods: str, path: str, change: Callable[[Request, Any], Any]) -> Before:
    """The server takes the JSON body for another one."""
    return asking(methods, path, lambda request: request.sending(lambda document: change(request, document)))


# -- After the server has answered


def answering(methods: str, path: str, change: After) -> After:
    matches = at(methods, path)
    return lambda request, response: change(request, response) if matches(request) else response


def telling(methods: str, path: str, change: Callable[[Any], Any]) -> After:
    """Another JSON body where there is one."""
    return answering(methods, path, lambda _, response: response.telling(change))


def lacking(methods: str, path: str, *names: str) -> After:
    """Headers left out."""
    return answering(methods, path, lambda _, response: response.without(*names))


def header(methods: str, path: str, name: str, value: str) -> After:
    """Another value of a header that is there."""
    return answering(methods, path, lambda _, response: response.setting(name, value))


def status(methods: str, path: str, changes: dict[int, int], document: Any = None) -> After:
    """Another status, with that document as its body, or none."""
    return answering(
        methods,
        path,
        lambda _, response: (
            response.saying(changes[response.status], document) if response.status in changes else response
        ),
    )


# -- Faults that need more words


def leading_on(request: Request, response: Response) -> Response:
    """After the last page there seems to be another one."""
    if response.status != 200 or response.header("link"):
        return response
    return response.adding("Link", f'<{request.path}?page=more>; rel="next"').adding("X-Paging-NextKey", "more")


def forgetting(*names: str) -> After:
    """The link to the next page has lost parameters."""

    def change(_: Request, response: Response) -> Response:
        pattern = rf"(?<=[?&])(?:{'|'.join(map(re.escape, names))})=[^&>]*&?"
        return response.setting("Link", re.sub(pattern, "", response.header("link") or ""))

    return change


def skipping(request: Request, response: Response) -> Response:
    """Each page but the first lacks its first item."""
    return response.telling(lambda items: items[1:]) if request.has("page") else response


def clipping(request: Request, response: Response) -> Response:
    """Segments seem to be as long as what was asked for."""
    asked = request.parameter("timerange")
    return response.telling(lambda items: [{**item, "timerange": asked} for item in items]) if asked else response


def absent_when_empty(_: Request, response: Response) -> Response:
    """An empty listing is said not to be there."""
    return response.saying(404) if response.body == b"[]" else response


def echoing(request: Request, response: Response) -> Response:
    """A refused creation is taken for a success."""
    return response.saying(201, json.loads(request.body)) if response.status == 400 else response


def forgotten_page(request: Request, response: Response) -> Response:
    """An unknown page is an empty one."""
    return response.saying(200, []) if response.status == 400 and request.has("page") else response


def own_id(request: Request, document: Any) -> Any:
    """The id in the path wins over the one in the body."""
    return {**document, "id": request.path.rpartition("/")[2]}


def members(changes: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Changes of those members that a document has."""
    return lambda document: {
        name: changes[name](value) if name in changes else value for name, value in document.items()
    }


def lacking_members(*names: str) -> Callable[[Any], Any]:
    return lambda document: {name: value for name, value in document.items() if name not in names}


def each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: [change(item) for item in items]


def backwards(items: Sequence[Any]) -> list[Any]:
    return list(items)[::-1]


def always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def cut(text: str) -> str:
    """A timerange whose timestamps have lost what is finer than a microsecond."""
    return re.sub(r":(\d+)", lambda match: f":{int(match[1]) // 1000 * 1000}", text)


def with_encoded_commas(text: str) -> str:
    """The same value: what is put into a query anew has its commas encoded, and so is no list any more."""
    return text


def untyped(put_url: Any) -> Any:
    return {**put_url, "content-type": "application/octet-stream"}


def only_reading(request: Request) -> Request:
    """A deletion that deletes nothing."""
    return replace(request, method="GET")


def spoilt_media(request: Request, response: Response) -> Response:
    """Bytes that are not those that went up."""
    return replace(response, body=response.body[::-1]) if at("GET", "/media/{}/{}")(request) else response
