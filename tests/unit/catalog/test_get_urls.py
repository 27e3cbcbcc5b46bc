"""get_urls of many objects at once: each object has its own, those on storage backends first, the oldest first."""

from storage.catalog.objects.get_urls import GetUrlFilter, get_urls_of, read_instances
from tests.conformance.kit.documents import Json
from tests.unit.catalogs import BASE, CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World

ELSEWHERE = {"url": "https://elsewhere.example/media", "label": "elsewhere"}


def labels(world: World, filters: GetUrlFilter, *object_ids: str) -> dict[str, list[str]]:
    """The labels of the presigned and uncontrolled URLs of each object; those on backends must be of its own bytes."""
    env = world.catalog.segments._env
    with world.engine.read() as tx:
        instances = read_instances(tx, env, sorted(object_ids), filters)
    found = get_urls_of(env, object_ids, instances, filters, BASE)
    for object_id, urls in found.items():
        assert all(f"/{object_id}.ts" in url["url"] or url["label"] == "elsewhere" for url in urls)
    return {object_id: [url["label"] for url in urls] for object_id, urls in found.items()}


def test_each_object_has_its_own_urls_in_order(world: World) -> None:
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "b")
    world.clock.forward(1)
    segments: list[Json] = [
        {"object_id": "a", "timerange": "[0:0_1:0)", "get_urls": [ELSEWHERE]},
        {"object_id": "b", "timerange": "[1:0_2:0)"},
        {"object_id": "c", "timerange": "[2:0_3:0)", "get_urls": [ELSEWHERE]},
    ]
    assert world.register(flow_id, *segments) == []
    world.clock.forward(1)
    world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    world.clock.forward(-3)
    world.catalog.copies.copy(CALLER, "b", SECOND_BACKEND)
    home, second = ["home", "home"], ["second", "second"]
    assert labels(world, GetUrlFilter(), "a", "b", "c", "none") == {
        "a": [*home, *second, "elsewhere"],
        "b": [*second, *home],
        "c": ["elsewhere"],
        "none": [],
    }
    # Two instances of one object, and none of another, are two instances of two objects too.
    assert labels(world, GetUrlFilter(), "b", "none")["b"] == [*second, *home]
    only_home = GetUrlFilter(storage_ids=[DEFAULT_BACKEND], presigned=True)
    assert labels(world, only_home, "a", "b", "c") == {"a": ["home"], "b": ["home"], "c": []}
