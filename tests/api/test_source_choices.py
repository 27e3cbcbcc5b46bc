"""Sources: the choices of this server where the standard leaves them open."""

import re
from collections.abc import Iterator

import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name

WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FRACTION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DESCRIPTION = ("label", "description", "tags")


def read_source(tams: TamsClient, source_id: str) -> Json:
    response = tams.get(f"/sources/{source_id}")
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def description_of(document: Json) -> Json:
    return {name: document[name] for name in DESCRIPTION if name in document}


@pytest.fixture
def described() -> Json:
    """The members of a flow that its source takes."""
    tags = {"genre": ["news", "sport"], "auth_classes": ["editors"], "empty": []}
    return {"label": fresh_name("label"), "description": "A bulletin", "tags": tags}


# -- What a new source takes from its first flow


@pytest.mark.behaviour("SRC-LIFE-02", "A76")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, MULTI])
def test_a_new_source_is_described_as_its_first_flow(tams: TamsClient, described: Json, format_: str) -> None:
    made = tams.make_flow(flow(format_, **described))
    assert description_of(read_source(tams, made["source_id"])) == described


@pytest.mark.behaviour("SRC-LIFE-02", "A76", "SRC-LIST-09", "SRC-LIST-03")
def test_a_new_source_is_found_by_what_it_took_from_its_flow(tams: TamsClient, described: Json) -> None:
    source_id = tams.make_flow(**described)["source_id"]

    def found(**params: object) -> list[str]:
        return [source["id"] for source in tams.get("/sources", label=described["label"], **params).json()]

    assert found() == [source_id]
    assert found(**{"tag.genre": "sport", "tag.auth_classes": "editors"}) == [source_id]
    assert found(**{"tag_exists.empty": True, "tag_exists.other": False}) == [source_id]
    assert found(**{"tag.genre": "weather"}) == []


@pytest.mark.behaviour("SRC-LIFE-03", "A76")
def test_later_flows_and_changes_of_the_first_leave_the_source_as_it_is(tams: TamsClient, described: Json) -> None:
    made = tams.make_flow(**described)
    before = read_source(tams, made["source_id"])
    tams.make_flow(source_id=made["source_id"], label="second", description="second", tags={"second": "flow"})
    assert put_flow(tams, {**made, "label": "changed", "tags": {}}).status_code == 204
    assert tams.put(f"/flows/{made['id']}/description", "changed").status_code == 204
    assert read_source(tams, made["source_id"]) == before


@pytest.mark.behaviour("SRC-LIFE-07", "A76")
def test_nothing_is_left_of_a_deleted_source_when_it_is_created_again(tams: TamsClient, described: Json) -> None:
    source_id = fresh()
    made = tams.make_flow(source_id=source_id, **described)
    assert tams.delete(f"/flows/{made['id']}").status_code == 204
    tams.make_flow(source_id=source_id, label=described["label"])
    assert description_of(read_source(tams, source_id)) == {"label": described["label"]}
    assert tams.get("/sources", label=described["label"], **{"tag.genre": "news"}).json() == []


@pytest.mark.behaviour("SRC-LIFE-02", "A76")
def test_a_bare_flow_brings_a_bare_source(tams: TamsClient) -> None:
    document = {name: value for name, value in flow().items() if name not in DESCRIPTION}
    assert description_of(read_source(tams, tams.make_flow(document)["source_id"])) == {}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose new sources take nothing from their flows."""
    with serving(tmp_path_factory.mktemp("bare"), new_source_metadata="none") as server:
        yield server


@pytest.mark.behaviour("SRC-LIFE-02", "A76")
def test_new_sources_stay_bare_if_the_setting_says_so(bare: Running, described: Json) -> None:
    document = flow(**described)
    assert bare.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    assert description_of(bare.client.get(f"/sources/{document['source_id']}").json()) == {}


# -- Times of creation


@pytest.mark.behaviour("A75", "FLOW-META-01", "SRC-LIFE-09")
def test_times_of_creation_are_shown_in_whole_seconds(tams: TamsClient) -> None:
    label = fresh_name("label")
    document = flow(label=label)
    tams.delete_later(document["id"])
    shown = [tams.put(f"/flows/{document['id']}", document).json(), read_flow(tams, document["id"])]
    shown += tams.get("/flows", label=label).json()
    shown += [read_source(tams, document["source_id"]), *tams.get("/sources", label=label).json()]
    assert len(shown) == 5
    for each in shown:
        assert WHOLE_SECONDS.fullmatch(each["created"])
        assert FRACTION.fullmatch(each.get("metadata_updated") or each["updated"])
    assert len({each["created"] for each in shown}) == 1


@pytest.mark.behaviour("A75", "SORT-01", "SORT-02", "PAGE-03")
@pytest.mark.parametrize("kind", ["flows", "sources"])
def test_listings_are_in_the_exact_order_of_creation(tams: TamsClient, kind: str) -> None:
    label = fresh_name("label")
    made = [tams.make_flow(label=label) for _ in range(8)]
    ids = [each["id" if kind == "flows" else "source_id"] for each in made]
    for reverse in (True, False):
        pages = tams.pages(f"/{kind}", label=label, sort_by="created", reverse_order=reverse, limit=3)
        assert [item["id"] for page in pages for item in page.json()] == (ids if reverse else ids[::-1])
