"""Copies of objects whose bytes another server has."""

import pytest

from storage.errors import Invalid, Unavailable
from tests.unit.catalog.copy_steps import URL
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, RemotePage, World


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-03")
@pytest.mark.parametrize("announced", [True, False], ids=["announced size", "unknown size"])
def test_an_uncontrolled_object_is_copied_from_its_url(world: World, outside: str, announced: bool) -> None:
    pieces = [b"x" * 70_000, b"", b"y" * 70_000, b"z"]
    world.other_servers.pages[URL] = RemotePage(pieces, 140_001 if announced else None, "video/other")
    world.catalog.copies.copy(CALLER, outside, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(outside) as file:
        assert file.read() == b"".join(pieces)
    stored = world.stores[SECOND_BACKEND].stat(outside)
    assert stored is not None
    assert stored.content_type == "video/mp2t", "the flow's container, whatever the other server announces"
    shown = world.object(outside).document["get_urls"]
    assert {each.get("storage_id") for each in shown} == {None, SECOND_BACKEND}


@pytest.mark.behaviour("OBJ-INST-POST-02", "OBJ-INST-POST-04")
@pytest.mark.parametrize(
    "page",
    [
        None,
        RemotePage([b"four"], size=5),
        RemotePage([b"four"], size=3),
        RemotePage([b"", b"more than that"], size=0),
        RemotePage([b"four"], size=8, breaks=True),
        RemotePage([b"four"], breaks=True),
    ],
    ids=["unreachable", "too short", "too long", "not empty", "broken off", "broken off, unknown size"],
)
def test_an_incomplete_download_is_not_a_copy(world: World, outside: str, page: RemotePage | None) -> None:
    if page is not None:
        world.other_servers.pages[URL] = page
    with pytest.raises((Invalid, Unavailable), match="could not be copied"):
        world.catalog.copies.copy(CALLER, outside, SECOND_BACKEND)
    assert {each.get("storage_id") for each in world.object(outside).document["get_urls"]} == {None}
    assert not world.has_bytes(outside, SECOND_BACKEND)
    world.run_background_work()
    assert world.jobs() == []
    assert world.rows("garbage") == []
    world.other_servers.pages[URL] = RemotePage([b"whole"], 5)
    world.catalog.copies.copy(CALLER, outside, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(outside) as file:
        assert file.read() == b"whole"


@pytest.mark.behaviour("OBJ-INST-POST-04")
def test_a_forbidden_url_is_not_copied_from(world: World) -> None:
    url = {"url": "https://forbidden/x", "label": "elsewhere"}
    segment = {"object_id": "x", "timerange": "[0:0_1:0)", "get_urls": [url]}
    assert world.register(world.make_flow(), segment) == []
    with pytest.raises(Invalid, match="must not be reached"):
        world.catalog.copies.copy(CALLER, "x", SECOND_BACKEND)
    world.run_background_work()
    assert world.jobs() == []


@pytest.mark.behaviour("OBJ-INST-POST-01")
def test_a_copy_is_made_from_any_instance_that_has_the_bytes(world: World, placed: str) -> None:
    world.catalog.objects.add_uncontrolled(CALLER, placed, URL, "elsewhere")
    world.other_servers.pages[URL] = RemotePage([b"from elsewhere"], 14)
    world.stores[DEFAULT_BACKEND].delete(placed)
    world.catalog.copies.copy(CALLER, placed, SECOND_BACKEND)
    with world.stores[SECOND_BACKEND].open(placed) as file:
        assert file.read() == b"from elsewhere"
