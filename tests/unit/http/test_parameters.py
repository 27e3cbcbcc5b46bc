"""Path and query parameters: decoding, conversion, and errors that name the parameter."""

import random
from urllib.parse import unquote, unquote_to_bytes

import pytest

from tams_server.http.parameters import percent_decode
from tests.unit.conftest import Client
from tests.unit.stub_handlers import StubHandlers

FLOW = "10000000-0000-4000-8000-000000000001"
OTHER = "10000000-0000-4000-8000-000000000002"


def query(client: Client, stub: StubHandlers, url: str) -> dict[str, object]:
    response = client.get(url)
    assert response.status_code == 200, response.text
    return dict(stub.call.query)


def error_detail(client: Client, url: str, field: str) -> str:
    response = client.get(url)
    assert response.status_code == 400, response.text
    assert response.json()["field"] == field
    return str(response.json()["detail"])


def test_parameters_not_given_are_absent(client: Client, stub: StubHandlers) -> None:
    assert query(client, stub, "/flows") == {}


def test_values_have_the_declared_types(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, f"/flows?limit=7&reverse_order=true&label=a%20b+c&source_id={FLOW}&init_segments=false")
    assert given == {"limit": 7, "reverse_order": True, "label": "a b c", "source_id": FLOW, "init_segments": False}


def test_templated_names_become_one_dict_per_prefix(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, "/flows?tag.genre=news,sport&tag.a.b=1&tag_exists.shot=true&tag_exists.x=false")
    assert given == {"tag": {"genre": ["news", "sport"], "a.b": ["1"]}, "tag_exists": {"shot": True, "x": False}}


@pytest.mark.behaviour("TAGQ-10")
def test_names_and_values_of_tags_are_decoded(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, "/flows?tag.caf%C3%A9%2Fbar=c%26d,%20e,f+g,h%2Bi")
    assert given == {"tag": {"café/bar": ["c&d", " e", "f g", "h+i"]}}


@pytest.mark.behaviour("A11", "TAGQ-12")
@pytest.mark.parametrize(
    ("raw", "items"),
    [
        ("a,b", ["a", "b"]),
        ("a%2Cb", ["a", "b", "a,b"]),
        ("a%2cb", ["a", "b", "a,b"]),
        ("a%2Cb,c", ["a", "b", "c", "a,b"]),
        ("c,a%2Cb%2Cd", ["c", "a", "b", "d", "a,b,d"]),
        ("a+b%2C+c", ["a b", " c", "a b, c"]),
        ("a%252Cb", ["a%2Cb"]),
        ("a%2Ca", ["a", "a,a"]),
        ("a,a", ["a"]),
    ],
)
@pytest.mark.parametrize("name", ["flow_tag.x", "storage_backend_tag.x", "accept_get_urls"])
def test_an_encoded_comma_separates_and_may_be_part_of_an_item(
    client: Client, stub: StubHandlers, name: str, raw: str, items: list[str]
) -> None:
    first, _, rest = name.partition(".")
    assert query(client, stub, f"/objects/o?{name}={raw}") == {first: {rest: items} if rest else items}


def test_the_other_tag_filters_are_lists_too(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, "/objects/o?flow_tag.x=a,b&storage_backend_tag.y=c,d&flow_tag_exists.z=true")
    expected = {"flow_tag": {"x": ["a", "b"]}, "storage_backend_tag": {"y": ["c", "d"]}, "flow_tag_exists": {"z": True}}
    assert given == expected


def test_empty_lists_differ_from_absent_ones(client: Client, stub: StubHandlers) -> None:
    assert query(client, stub, f"/flows/{FLOW}/segments?accept_get_urls=") == {"accept_get_urls": []}
    assert query(client, stub, "/flows?collected_by_ids=&tag.x=") == {"collected_by_ids": [], "tag": {"x": [""]}}


def test_lists_of_ids_may_be_separated_by_encoded_commas(client: Client, stub: StubHandlers) -> None:
    for comma in (",", "%2C", "%2c"):
        given = query(client, stub, f"/flows?collected_by_ids={FLOW}{comma}{OTHER}")
        assert given == {"collected_by_ids": [FLOW, OTHER]}


def test_lists_may_be_repeated(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, "/flows?tag.x=a%2Cb&tag.x=c,d&tag.x=a")
    assert given == {"tag": {"x": ["a", "b", "a,b", "c", "d"]}}


def test_other_parameters_must_be_given_only_once(client: Client) -> None:
    assert "once" in error_detail(client, "/flows?limit=1&limit=2", "limit")
    assert "once" in error_detail(client, "/flows?label=a&label=a", "label")
    assert "once" in error_detail(client, "/flows?tag_exists.x=true&tag_exists.x=true", "tag_exists.x")


@pytest.mark.behaviour("TAGQ-11")
@pytest.mark.parametrize("value", ["a,,b", ",a", "a,", "a%2C,b", "a%2C%2cb", "%2Ca", "a%2c"])
def test_empty_items_in_lists_are_rejected(client: Client, value: str) -> None:
    assert unquote(value) in error_detail(client, f"/flows?tag.x={value}", "tag.x")


@pytest.mark.behaviour("GEN-12", "TAGQ-09")
@pytest.mark.parametrize("value", ["True", "1", "yes", "", "true%20"])
def test_booleans_are_true_or_false(client: Client, value: str) -> None:
    assert "true or false" in error_detail(client, f"/flows?reverse_order={value}", "reverse_order")
    assert "true or false" in error_detail(client, f"/flows?tag_exists.x={value}", "tag_exists.x")


@pytest.mark.behaviour("PAGE-09")
@pytest.mark.parametrize("value", ["abc", "1.5", "", "1e3", "%D9%A1", "+1", "0x1"])
def test_limits_must_be_integers(client: Client, value: str) -> None:
    error_detail(client, f"/flows?limit={value}", "limit")


@pytest.mark.behaviour("PAGE-07")
def test_huge_limits_are_lowered(client: Client, stub: StubHandlers) -> None:
    assert query(client, stub, f"/flows?limit={'9' * 5000}") == {"limit": 2**63 - 1}


@pytest.mark.parametrize(
    "pair", ["format=video", "source_id=X", "sort_by=timerange", "codec=a", f"source_id={FLOW}%0A"]
)
def test_errors_name_the_parameter_that_does_not_match_its_schema(client: Client, pair: str) -> None:
    error_detail(client, f"/flows?{pair}", pair.partition("=")[0])


@pytest.mark.behaviour("GEN-08")
def test_unknown_parameters_are_ignored(client: Client, stub: StubHandlers) -> None:
    assert query(client, stub, "/flows?unknown=1&unknown=2&tags.x=1&tag=5&&=&x") == {}


def test_a_prefix_without_a_name_is_rejected(client: Client) -> None:
    error_detail(client, "/flows?tag.=x", "tag.")


@pytest.mark.parametrize("raw", [b"label=%FF", b"label=\xff", b"tag.x=%80", b"tag.%FF=a", b"limit=%FF"])
def test_a_declared_parameter_that_is_not_text_is_rejected(client: Client, raw: bytes) -> None:
    assert client.raw(b"/flows", raw)[0] == 400


@pytest.mark.behaviour("A64")
@pytest.mark.parametrize("raw", [b"x=%80", b"%FF=1", b"\xff=\xff", b"x=%00&x=%00", b"=1", b"%00=", b"x=%", b"%C3%28=1"])
def test_a_parameter_that_is_not_declared_may_contain_anything(client: Client, stub: StubHandlers, raw: bytes) -> None:
    assert client.raw(b"/flows", raw)[0] == 200
    assert stub.call.query == {}


def test_text_with_nul_is_escaped_as_it_is_stored(client: Client, stub: StubHandlers) -> None:
    given = query(client, stub, "/flows?label=a%00b&tag.%00=c%00%EF%B7%90")
    assert given == {"label": "a\ufdd00b", "tag": {"\ufdd00": ["c\ufdd00\ufdd01"]}}


def test_utf8_may_be_unencoded(client: Client, stub: StubHandlers) -> None:
    assert client.raw(b"/flows", "label=é".encode())[0] == 200
    assert stub.call.query == {"label": "é"}


@pytest.mark.parametrize("raw", [b"/objects/%FF", b"/objects/\xff", b"/objects/%ED%A0%80"])
def test_a_path_that_is_not_text_is_not_found(client: Client, raw: bytes) -> None:
    assert client.raw(raw)[0] == 404


@pytest.mark.parametrize(
    ("raw", "object_id"),
    [
        ("/objects/bucket%2Fkey", "bucket/key"),
        ("/objects/100%25", "100%"),
        ("/objects/a%252Fb", "a%2Fb"),
        ("/objects/%2E%2E", ".."),
        ("/objects/a%0Ab", "a\nb"),
        ("/objects/a%00b", "a\ufdd00b"),
        ("/objects/a+b", "a+b"),
        ("/objects/%C3%A9%3F%23", "é?#"),
    ],
)
def test_path_parameters_keep_encoded_slashes(client: Client, stub: StubHandlers, raw: str, object_id: str) -> None:
    assert client.get(raw).status_code == 200
    assert stub.call.path == {"objectId": object_id}


def test_encoded_slashes_do_not_hide_what_follows(client: Client, stub: StubHandlers) -> None:
    client.request("DELETE", "/objects/bucket%2Fkey/instances?label=x")
    assert stub.calls[-1][0] == "DELETE_objects-instances"
    client.get(f"/sources/{FLOW}/tags/a%2Fb")
    assert stub.call.path == {"sourceId": FLOW, "name": "a/b"}


def test_fixed_parts_of_paths_may_be_encoded(client: Client, stub: StubHandlers) -> None:
    assert client.get("/fl%6Fws").status_code == 200


@pytest.mark.behaviour("GEN-01")
@pytest.mark.parametrize("id_", ["x", FLOW.upper().replace("1", "A", 1), FLOW + "0", FLOW + "%0A", FLOW[:-1]])
def test_invalid_ids_are_not_found(client: Client, id_: str) -> None:
    response = client.get(f"/flows/{id_}")
    assert response.status_code == 404
    assert response.json()["field"] == "flowId"


@pytest.mark.parametrize(
    "path", ["/flows//", "/objects/", "/objects//", "/objects/a/b", "/nothing", "/flows//segments"]
)
def test_unknown_paths_are_not_found(client: Client, path: str) -> None:
    assert client.raw(path.encode())[0] == 404


def test_percent_decoding_is_that_of_the_standard_library() -> None:
    random_ = random.Random(1)
    for _ in range(500):
        text = "".join(random_.choice(["%", "4", "1", "a", "F", "g", "%C3%A9", "%2c", "/"]) for _ in range(20))
        try:
            expected = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            expected = None
        assert percent_decode(text) == expected
