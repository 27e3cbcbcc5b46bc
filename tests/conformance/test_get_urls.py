"""get_urls of segments and objects: their members, and the filters on them."""

from pathlib import PurePosixPath

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json, init_flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.instances import VIEWS, add_uncontrolled_url, backends, default_backend, get_urls, read_view
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import register_segment

by_view = pytest.mark.parametrize("view", VIEWS)

PLAIN = {"url", "presigned", "label"}


@pytest.fixture
def stored_ids(tams: TamsClient) -> tuple[str, str]:
    """The ids of a flow and of the object of its only segment."""
    flow = tams.make_flow()
    return flow["id"], register_segment(tams, flow["id"])


def labels(urls: list[Json]) -> set[str | None]:
    return {each.get("label") for each in urls}


@by_view
@pytest.mark.behaviour("SEG-GET-19", "SEG-GET-21", "SB-USE-03", "SEG-GET-24")
def test_a_stored_object_has_urls_of_its_backend(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    home = default_backend(tams)
    urls = get_urls(tams, view, *stored_ids, verbose_storage=True)
    assert urls
    for each in urls:
        assert each.get("storage_id", home["id"]) == home["id"]
        assert each.get("label") == home.get("label")
        assert each.get("controlled", True) is True


@by_view
@pytest.mark.behaviour("STO-38", "A78")
@pytest.mark.parametrize(
    ("container", "extension"), [("video/mp2t", ".ts"), ("video/mp4", ".mp4"), ("audio/wav", ".wav")]
)
def test_the_path_of_a_url_ends_in_the_extension_of_the_container_or_in_none(
    tams: TamsClient, view: str, container: str, extension: str
) -> None:
    flow = tams.make_flow(container=container)
    for each in get_urls(tams, view, flow["id"], register_segment(tams, flow["id"])):
        suffix = PurePosixPath(httpx.URL(each["url"]).path).suffix
        assert suffix in ("", extension)


@by_view
@pytest.mark.behaviour("SEG-GET-22", "AMB-34")
@pytest.mark.parametrize("requested", [None, False])
def test_urls_are_terse_by_default(
    tams: TamsClient, stored_ids: tuple[str, str], view: str, requested: bool | None
) -> None:
    add_uncontrolled_url(tams, stored_ids[1])
    urls = get_urls(tams, view, *stored_ids, verbose_storage=requested)
    assert len(urls) >= 2
    assert all("url" in each and set(each) <= PLAIN for each in urls)


@by_view
@pytest.mark.behaviour("SEG-GET-23", "OBJ-13")
def test_verbose_urls_describe_their_backend_as_the_service_does(
    tams: TamsClient, stored_ids: tuple[str, str], view: str
) -> None:
    known = {each["id"]: each for each in backends(tams)}
    for each in get_urls(tams, view, *stored_ids, verbose_storage=True):
        backend = known[each["storage_id"]]
        for name in ("store_type", "provider", "store_product", "region", "availability_zone"):
            assert each.get(name) == backend.get(name), name
        assert each.get("tags", {}) == backend.get("tags", {})


@by_view
@pytest.mark.behaviour("SEG-GET-24", "OBJ-INST-POST-07", "SEG-GET-21")
def test_verbose_uncontrolled_urls_are_marked(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    sent = add_uncontrolled_url(tams, stored_ids[1])
    (found,) = [
        each for each in get_urls(tams, view, *stored_ids, verbose_storage=True) if each.get("label") == sent["label"]
    ]
    assert found["url"] == sent["url"]
    assert found["controlled"] is False


@by_view
@pytest.mark.behaviour("SEG-GET-25", "SEG-GET-27", "OBJ-13")
@pytest.mark.parametrize("selected", [["a"], ["b"], ["a", "b"], ["a", "home"], ["nobody"], None], ids=str)
def test_urls_are_filtered_by_label(
    tams: TamsClient, stored_ids: tuple[str, str], view: str, selected: list[str] | None
) -> None:
    home = default_backend(tams).get("label")
    named = {
        "a": add_uncontrolled_url(tams, stored_ids[1])["label"],
        "b": add_uncontrolled_url(tams, stored_ids[1])["label"],
        "home": home,
    }
    requested = None if selected is None else [named.get(each) or fresh() for each in selected]
    found = labels(get_urls(tams, view, *stored_ids, accept_get_urls=requested))
    expected = set(named.values()) if selected is None else {named[each] for each in selected if each in named}
    if home is None:
        expected -= {None} if selected is not None else set()
    assert found == expected


@by_view
@pytest.mark.behaviour("SEG-GET-27", "SEG-GET-05")
def test_labels_with_special_characters_can_be_filtered(
    tams: TamsClient, stored_ids: tuple[str, str], view: str
) -> None:
    sent = add_uncontrolled_url(tams, stored_ids[1], label=f"left, right & Ünten/{fresh()}")
    add_uncontrolled_url(tams, stored_ids[1])
    assert labels(get_urls(tams, view, *stored_ids, accept_get_urls=[sent["label"]])) == {sent["label"]}


@by_view
@pytest.mark.behaviour("SEG-GET-26", "AMB-35")
def test_an_empty_label_filter_returns_no_urls(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    assert get_urls(tams, view, *stored_ids, accept_get_urls="") == []


@by_view
@pytest.mark.behaviour("SEG-GET-29", "SEG-GET-37", "OBJ-13")
@pytest.mark.parametrize("verbose", [False, True], ids=["terse", "verbose"])
def test_a_storage_id_filter_drops_urls_without_a_storage_id(
    tams: TamsClient, stored_ids: tuple[str, str], view: str, verbose: bool
) -> None:
    home = default_backend(tams)
    elsewhere = add_uncontrolled_url(tams, stored_ids[1])["label"]
    found = get_urls(tams, view, *stored_ids, accept_storage_ids=[fresh(), home["id"]], verbose_storage=verbose)
    assert labels(found) == {home.get("label")}
    assert get_urls(tams, view, *stored_ids, accept_storage_ids=[fresh()], verbose_storage=verbose) == []
    assert elsewhere in labels(get_urls(tams, view, *stored_ids))


@by_view
@pytest.mark.behaviour("SEG-GET-30", "A35")
def test_an_empty_storage_id_filter_is_ignored_or_rejected(
    tams: TamsClient, stored_ids: tuple[str, str], view: str
) -> None:
    path = f"/flows/{stored_ids[0]}/segments" if view == "segment" else f"/objects/{stored_ids[1]}"
    response = tams.request("GET", f"{path}?accept_storage_ids=")
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        document = response.json()[0] if view == "segment" else response.json()
        assert len(document["get_urls"]) == len(get_urls(tams, view, *stored_ids))


@by_view
@pytest.mark.behaviour("SEG-GET-32", "OBJ-13", "A62")
def test_urls_are_filtered_by_presigned(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    elsewhere = add_uncontrolled_url(tams, stored_ids[1])["label"]
    every = get_urls(tams, view, *stored_ids)
    signed = get_urls(tams, view, *stored_ids, presigned=True)
    plain = get_urls(tams, view, *stored_ids, presigned=False)
    assert all(each["presigned"] is True for each in signed)
    assert all(each.get("presigned", False) is False for each in plain)
    assert len(signed) + len(plain) == len(every)
    assert elsewhere in labels(plain)
    assert elsewhere not in labels(signed)


@by_view
@pytest.mark.behaviour("SEG-GET-33", "TAGQ-02", "TAGQ-06", "TAGQ-07", "A63")
def test_urls_are_filtered_by_backend_tags(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    home = default_backend(tams)
    elsewhere = add_uncontrolled_url(tams, stored_ids[1])["label"]
    for name, value in home.get("tags", {}).items():
        one = value if isinstance(value, str) else value[0]
        assert labels(get_urls(tams, view, *stored_ids, **{f"storage_backend_tag.{name}": ["no", one]})) == {
            home["label"]
        }
        assert get_urls(tams, view, *stored_ids, **{f"storage_backend_tag.{name}": [one[:-1]]}) == []
        assert labels(get_urls(tams, view, *stored_ids, **{f"storage_backend_tag_exists.{name}": True})) == {
            home["label"]
        }
        assert home["label"] not in labels(
            get_urls(tams, view, *stored_ids, **{f"storage_backend_tag_exists.{name}": False})
        )
    unknown = fresh()
    assert get_urls(tams, view, *stored_ids, **{f"storage_backend_tag.{unknown}": ["x"]}) == []
    assert get_urls(tams, view, *stored_ids, **{f"storage_backend_tag_exists.{unknown}": True}) == []
    assert (
        {home.get("label")}
        <= labels(get_urls(tams, view, *stored_ids, **{f"storage_backend_tag_exists.{unknown}": False}))
        <= {home.get("label"), elsewhere}
    )


@by_view
@pytest.mark.behaviour("SEG-GET-34", "SEG-GET-35")
def test_a_url_must_match_every_filter(tams: TamsClient, stored_ids: tuple[str, str], view: str) -> None:
    home = default_backend(tams)
    elsewhere = add_uncontrolled_url(tams, stored_ids[1])["label"]
    assert get_urls(tams, view, *stored_ids, accept_storage_ids=[home["id"]], accept_get_urls=[elsewhere]) == []
    assert get_urls(tams, view, *stored_ids, presigned=True, accept_get_urls=[elsewhere]) == []
    assert labels(get_urls(tams, view, *stored_ids, presigned=False, accept_get_urls=[elsewhere])) == {elsewhere}


@by_view
@pytest.mark.behaviour("SEG-GET-36", "SEG-GET-26", "OBJ-13")
@pytest.mark.parametrize("filters", [{"accept_get_urls": ""}, {"accept_storage_ids": ["fresh"]}], ids=str)
def test_filters_apply_to_the_init_object(tams: TamsClient, view: str, filters: dict[str, object]) -> None:
    flow = tams.make_flow(init_flow())
    init_id, object_id = tams.make_objects(flow["id"], 2)
    register_segment(tams, flow["id"], object_id=object_id, init_object_id=init_id)
    assert read_view(tams, view, flow["id"], object_id)["init_object"]["get_urls"]
    requested = {name: [fresh()] if value == ["fresh"] else "" for name, value in filters.items()}
    document = read_view(tams, view, flow["id"], object_id, **requested)
    assert document.get("get_urls", []) == []
    assert document["init_object"].get("get_urls", []) == []


@pytest.mark.behaviour("SEG-GET-28", "SEG-GET-31", "OBJ-14", "GEN-12", "TAGQ-09", "TAGQ-11")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@by_view
@pytest.mark.parametrize(
    "query",
    [
        "accept_get_urls=a,,b",
        "accept_storage_ids=zzz",
        "presigned=perhaps",
        "verbose_storage=1x",
        "storage_backend_tag_exists.a=maybe",
    ],
)
def test_an_invalid_filter_is_rejected(
    tams: TamsClient, stored_ids: tuple[str, str], view: str, method: str, query: str
) -> None:
    path = f"/flows/{stored_ids[0]}/segments" if view == "segment" else f"/objects/{stored_ids[1]}"
    assert tams.request(method, f"{path}?{query}").status_code == 400


@pytest.mark.behaviour("SEG-GET-20", "OBJ-INST-DEL-02")
def test_every_flow_that_uses_an_object_shows_its_urls(tams: TamsClient, stored_ids: tuple[str, str]) -> None:
    flow_id, object_id = stored_ids
    other = tams.make_flow()
    register_segment(tams, other["id"], object_id=object_id)
    register_segment(tams, flow_id, "[10:0_20:0)", object_id=object_id, ts_offset="10:0")
    label = add_uncontrolled_url(tams, object_id)["label"]
    everywhere = [*tams.segments(flow_id), *tams.segments(other["id"])]
    assert [label in labels(each["get_urls"]) for each in everywhere] == [True, True, True]
    removed = tams.request("DELETE", with_query(f"/objects/{object_id}/instances", {"label": label}))
    assert removed.status_code == 204
    everywhere = [*tams.segments(flow_id), *tams.segments(other["id"])]
    assert [label in labels(each["get_urls"]) for each in everywhere] == [False, False, False]


@pytest.mark.behaviour("PAGE-05", "SVC-PAGE-02", "SEG-GET-18")
def test_url_filters_apply_to_every_page(tams: TamsClient) -> None:
    flow = tams.make_flow()
    segments = tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(4)])
    selected = [add_uncontrolled_url(tams, each["object_id"], label=f"copy, {fresh()}")["label"] for each in segments]
    path = with_query(
        f"/flows/{flow['id']}/segments", {"limit": 2, "verbose_storage": True, "accept_get_urls": selected}
    )
    found = [each for page in tams.pages(path) for item in page.json() for each in item["get_urls"]]
    assert [each["label"] for each in found] == selected
    assert all(each["controlled"] is False for each in found)
