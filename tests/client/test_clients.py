"""Both clients: pages, retries, errors, and where credentials go."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from storage.timerange import NS, TimeRange
from tams_server.client import ApiError, Client, ClientError, NotFound, Token, Unreachable, calls
from tests.client.mock_servers import CLIENTS, URL, AnyClient, Script
from tests.client.translation import FOLDER, translated

FLOW = "2f8e1c4e-0b5e-4b0c-8a39-0e6a4c1f2b11"


@pytest.fixture(params=CLIENTS, ids=lambda each: each.__name__)
def client(request: pytest.FixtureRequest) -> Callable[..., AnyClient]:
    """One of the two clients, to be given a script."""
    made: Callable[..., AnyClient] = request.param
    return made


ITEMS = [{"id": "a"}, {"id": "b"}, {"id": "c"}]


def page(items: list[Any], **headers: str) -> httpx.Response:
    return httpx.Response(200, json=items, headers={name.replace("_", "-"): each for name, each in headers.items()})


def test_the_synchronous_client_is_a_translation_of_the_asynchronous_one() -> None:
    written = (FOLDER / "sync_client.py").read_text()
    assert written == translated(), "run: python -m tests.client.translation"


def test_pages_follow_the_link(client: Callable[..., AnyClient]) -> None:
    script = Script(
        page(ITEMS[:2], Link=f'<{URL}/flows?page=b>; rel="next"'),
        page([], Link='<?page=c>; rel="next"'),
        page(ITEMS[2:]),
    )
    assert client(script).listed(calls.flows(source_id="x")) == ITEMS
    assert [request.url.query for request in script.requests] == [b"limit=1000&source_id=x", b"page=b", b"page=c"]


def test_a_link_to_another_server_is_not_followed(client: Callable[..., AnyClient]) -> None:
    elsewhere = '<http://internal:8080/flows?page=b>; rel="next"'
    script = Script(page(ITEMS[:1], Link=elsewhere, X_Paging_NextKey="b"), page(ITEMS[1:]))
    assert client(script, Token("secret")).listed(calls.flows()) == ITEMS
    assert str(script.requests[1].url) == f"{URL}/flows?limit=1000&page=b"
    with pytest.raises(ClientError, match="internal"):
        client(Script(page(ITEMS, Link=elsewhere))).listed(calls.flows())


def test_segments_are_asked_for_without_urls(client: Callable[..., AnyClient]) -> None:
    script = Script(page([]))
    client(script).listed(calls.segments(FLOW, TimeRange(0, 10 * NS), with_urls=False))
    assert dict(script.requests[0].url.params) == {"limit": "1000", "timerange": "[0:0_10:0)", "accept_get_urls": ""}


def test_ids_of_objects_may_have_any_character(client: Callable[..., AnyClient]) -> None:
    script = Script(httpx.Response(200, json={"id": "a/b ü%"}))
    client(script).send(calls.media_object("a/b ü%"))
    assert script.requests[0].url.raw_path == b"/v8/objects/a%2Fb%20%C3%BC%25?verbose_storage=true"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_reads_are_repeated_after_temporary_errors(client: Callable[..., AnyClient], status: int) -> None:
    script = Script(httpx.Response(status), httpx.ConnectError("no"), httpx.Response(200, json={"id": FLOW}))
    assert client(script).send(calls.flow(FLOW)) == {"id": FLOW}
    assert len(script.requests) == 3


@pytest.mark.parametrize("status", [0, 503])
def test_a_registration_that_may_have_been_done_is_not_repeated(client: Callable[..., AnyClient], status: int) -> None:
    script = Script(httpx.Response(status) if status else httpx.ReadError("broken"))
    with pytest.raises((Unreachable, ApiError)):
        client(script).send(calls.add_segments(FLOW, [{}]))
    assert len(script.requests) == 1


def test_a_registration_is_repeated_when_it_was_not_processed(client: Callable[..., AnyClient]) -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(201))
    assert client(script).send(calls.add_segments(FLOW, [{}])) == []


def test_failed_segments_are_the_result(client: Callable[..., AnyClient]) -> None:
    failed = [{"object_id": "a", "timerange": "[0:0_1:0)"}]
    script = Script(httpx.Response(200, json={"failed_segments": failed}))
    assert client(script).send(calls.add_segments(FLOW, [{}])) == failed


def test_errors_name_the_reason_and_no_secret(client: Callable[..., AnyClient]) -> None:
    problem = httpx.Response(404, json={"title": "Not Found", "detail": "no such flow"})
    with pytest.raises(NotFound, match=rf"^GET {URL}/flows/{FLOW} returned 404: no such flow$"):
        client(Script(problem)).send(calls.flow(FLOW))
    with pytest.raises(ApiError, match=r"^GET https://media.example/o returned 403: expired$") as caught:
        client(Script(httpx.Response(403, text="expired"))).downloaded(
            {"url": "https://media.example/o?signature=secret"}
        )
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("url", "presigned", "sent"),
    [
        (f"{URL}/media/o", False, True),
        ("https://tams.example:443/elsewhere", False, True),
        (f"{URL}/media/o?signature=x", True, False),
        ("https://other.example/o", False, False),
        ("http://tams.example/o", False, False),
    ],
)
def test_credentials_go_to_the_servers_own_origin_only(
    client: Callable[..., AnyClient], url: str, presigned: bool, sent: bool
) -> None:
    script = Script(httpx.Response(200, stream=httpx.ByteStream(b"media")))
    assert client(script, Token("secret")).downloaded({"url": url, "presigned": presigned}) == b"media"
    assert ("authorization" in script.requests[0].headers) == sent


def test_a_url_without_http_is_rejected() -> None:
    with pytest.raises(ClientError, match="must begin with http"):
        Client("localhost:4010")
