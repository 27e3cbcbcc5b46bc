"""Tag filters of sources, flows, webhooks, and the flows that reference an object."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import AUDIO, flow
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.instances import backends
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.tagged_resources import KINDS, REJECT_BAD_FILTERS, TaggedResources, Tags

TAGS: list[Tags] = [
    {},
    {"genre": "news"},
    {"genre": "sport"},
    {"genre": ["news", "weather"]},
    {"genre": "News"},
    {"genre": "news", "place": "leeds"},
    {"genre": []},
    {"genre": "news,sport"},
    {"genres": "news"},
]
SPECIAL = ["a b", "a/b", "a&b", "a=b", "a+b", "a%2Fb", "a%b", "a.b", "ü", "日本", "a?b", "a#b", "{a}", "a\"b'c", "🎬"]
SPECIAL_TAGS: list[Tags] = [{name: name} for name in SPECIAL]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def tagged(http: httpx.Client, kind: str) -> Iterator[TaggedResources]:
    with shared_client(http) as tams:
        yield KINDS[kind](tams, TAGS)


@pytest.fixture(scope="module")
def special(http: httpx.Client, kind: str) -> Iterator[TaggedResources]:
    with shared_client(http) as tams:
        yield KINDS[kind](tams, SPECIAL_TAGS)


@pytest.mark.behaviour("TAGQ-08", "TAG-03")
def test_without_a_filter_everything_is_listed(tams: TamsClient, tagged: TaggedResources) -> None:
    assert tagged.matching(tams, {}) == set(range(len(TAGS)))


@pytest.mark.behaviour("TAGQ-01", "TAGQ-02", "TAGQ-03", "TAG-02", "TAG-06", "SRC-LIST-09", "FLOW-LIST-20")
@pytest.mark.parametrize(
    ("values", "passing"),
    [
        (["news"], {1, 3, 5}),
        (["sport"], {2}),
        (["weather"], {3}),
        (["News"], {4}),
        (["sport", "weather"], {2, 3}),
        (["weather", "sport"], {2, 3}),
        (["news", "weather"], {1, 3, 5}),
        (["sport", "unheard-of"], {2}),
    ],
)
def test_a_tag_value_matches_alone_and_in_a_list(
    tams: TamsClient, tagged: TaggedResources, values: list[str], passing: set[int]
) -> None:
    assert tagged.matching(tams, {"tag.genre": values}) == passing


@pytest.mark.behaviour("TAGQ-04", "TAG-02")
@pytest.mark.parametrize("value", ["new", "ews", "NEWS", "n*", "news ", "%", "n_ws", "unheard-of"])
def test_tag_values_match_whole_and_case_sensitively(tams: TamsClient, tagged: TaggedResources, value: str) -> None:
    assert tagged.matching(tams, {"tag.genre": value}) == set()


@pytest.mark.behaviour("TAGQ-04", "TAG-02")
@pytest.mark.parametrize("name", ["Genre", "genr", "GENRE", "genre "])
def test_tag_names_match_whole_and_case_sensitively(tams: TamsClient, tagged: TaggedResources, name: str) -> None:
    assert tagged.matching(tams, {f"tag.{name}": "news"}) == set()
    assert tagged.matching(tams, {f"tag_exists.{name}": True}) == set()


@pytest.mark.behaviour("TAGQ-06", "TAGQ-07", "TAG-03", "TAG-06")
@pytest.mark.parametrize(
    ("name", "present", "passing"),
    [
        ("genre", True, {1, 2, 3, 4, 5, 6, 7}),
        ("genre", False, {0, 8}),
        ("place", True, {5}),
        ("place", False, {0, 1, 2, 3, 4, 6, 7, 8}),
        ("unheard-of", True, set()),
        ("unheard-of", False, set(range(9))),
    ],
)
def test_tag_exists_matches_any_value(
    tams: TamsClient, tagged: TaggedResources, name: str, present: bool, passing: set[int]
) -> None:
    assert tagged.matching(tams, {f"tag_exists.{name}": present}) == passing


@pytest.mark.behaviour("TAGQ-05", "TAG-05")
@pytest.mark.parametrize(
    ("query", "passing"),
    [
        ({"tag.genre": "news", "tag.place": "leeds"}, {5}),
        ({"tag.genre": "sport", "tag.place": "leeds"}, set()),
        ({"tag.genre": "news", "tag_exists.place": True}, {5}),
        ({"tag.genre": "news", "tag_exists.place": False}, {1, 3}),
        ({"tag_exists.genre": True, "tag_exists.place": False}, {1, 2, 3, 4, 6, 7}),
        ({"tag.genre": "news", "tag_exists.genre": False}, set()),
    ],
)
def test_several_filters_must_all_match(
    tams: TamsClient, tagged: TaggedResources, query: dict[str, Value], passing: set[int]
) -> None:
    assert tagged.matching(tams, query) == passing


@pytest.mark.behaviour("TAGQ-09", "TAGQ-11")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tag.genre", "news,,sport"),
        ("tag.genre", ",news"),
        ("tag.genre", "news,"),
        ("tag.genre", ","),
        ("tag_exists.genre", "maybe"),
        ("tag_exists.genre", "1"),
        ("tag_exists.genre", "True"),
        ("tag_exists.genre", ""),
    ],
)
def test_a_malformed_filter_is_rejected(
    tams: TamsClient, kind: str, tagged: TaggedResources, name: str, value: str
) -> None:
    # The commas are literal, as between values.
    status = tams.request("GET", f"{tagged.url({})}&{tagged.prefix}{name}={value}").status_code
    plain = tagged.prefix and name.startswith("tag.")
    # The published pattern of `flow_tag.` allows any text.
    assert status == 400 or ((kind not in REJECT_BAD_FILTERS or plain) and status == 200)


@pytest.mark.behaviour("TAGQ-10", "TAG-04")
@pytest.mark.parametrize("text", SPECIAL)
def test_names_and_values_with_special_characters_match(tams: TamsClient, special: TaggedResources, text: str) -> None:
    passing = {SPECIAL.index(text)}
    assert special.matching(tams, {f"tag.{text}": text}) == passing
    assert special.matching(tams, {f"tag.{text}": ["unheard-of", text]}) == passing
    assert special.matching(tams, {f"tag_exists.{text}": True}) == passing


@pytest.mark.behaviour("TAGQ-13")
@pytest.mark.parametrize("comma", ["%2C", "%2c"])
def test_encoded_commas_separate_values_as_plain_ones_do(tams: TamsClient, tagged: TaggedResources, comma: str) -> None:
    url = f"{tagged.url({}, limit=2)}&{tagged.prefix}tag.genre=news{comma}sport"
    found = {tagged.ids.index(id_) for page in tams.pages(url) for id_ in tagged.items(page.json())}
    # A server may find the value "news,sport" (7) as well: whether the comma was encoded as part of it, none can tell.
    assert found in ({1, 2, 3, 5}, {1, 2, 3, 5, 7})


@pytest.mark.behaviour("TAGQ-10", "TAG-04")
@pytest.mark.parametrize("spelling", ["%67enre=%6Eews", "genre=n%65ws", "%67%65%6E%72%65=news"])
def test_any_character_may_be_percent_encoded(tams: TamsClient, tagged: TaggedResources, spelling: str) -> None:
    response = tams.request("GET", f"{tagged.url({})}&{tagged.prefix}tag.{spelling}")
    assert {tagged.ids.index(id_) for id_ in tagged.items(response.json())} == {1, 3, 5}


@pytest.mark.behaviour("TAGQ-05", "PAGE-05", "PAGE-03", "TAGQ-10")
def test_filters_apply_to_every_page(tams: TamsClient, special: TaggedResources, tagged: TaggedResources) -> None:
    assert tagged.matching(tams, {"tag.genre": ["news", "sport"]}, limit=1) == {1, 2, 3, 5}
    assert special.matching(tams, {"tag_exists.unheard of/&=": False}, limit=4) == set(range(len(SPECIAL)))


# -- Tag filters with other filters


@pytest.mark.behaviour("TAGQ-05", "SRC-LIST-11", "FLOW-LIST-21", "TAG-05")
@pytest.mark.parametrize("kind_", ["sources", "flows"])
def test_tag_filters_combine_with_other_filters(tams: TamsClient, kind_: str) -> None:
    tag, label = fresh_name("tag"), fresh_name("label")
    made = tams.make_flow(flow(AUDIO, tags={"kit": tag}, label=label))
    id_ = made["id" if kind_ == "flows" else "source_id"]
    if kind_ == "sources":
        assert tams.put(f"/sources/{id_}/tags/kit", tag).status_code == 204
        assert tams.put(f"/sources/{id_}/label", label).status_code == 204
    all_pass = {"tag.kit": tag, "label": label, "format": AUDIO}
    assert [item["id"] for item in tams.request("GET", with_query(f"/{kind_}", all_pass)).json()] == [id_]
    for name, other in {"tag.kit": "other", "label": "other", "format": "urn:x-nmos:format:data"}.items():
        assert tams.request("GET", with_query(f"/{kind_}", {**all_pass, name: other})).json() == []


# -- Storage backends, which tests cannot create


@pytest.mark.behaviour("TAG-06", "TAGQ-01", "TAGQ-06", "TAGQ-07")
def test_storage_backends_are_found_by_their_tags(tams: TamsClient) -> None:
    everything = backends(tams)
    names = {name for backend in everything for name in backend.get("tags", {})} | {fresh_name("tag")}
    for name in names:
        for present in (True, False):
            found = tams.get("/service/storage-backends", **{f"tag_exists.{name}": present}).json()
            expected = [each["id"] for each in everything if (name in each.get("tags", {})) == present]
            assert [each["id"] for each in found] == expected
        assert tams.get("/service/storage-backends", **{f"tag.{name}": fresh_name("value")}).json() == []
    for backend in everything:
        for name, value in backend.get("tags", {}).items():
            for text in [value] if isinstance(value, str) else value:
                found = tams.request(
                    "GET", f"/service/storage-backends?tag.{path_segment(name)}={path_segment(text)}"
                ).json()
                assert backend["id"] in [each["id"] for each in found]
