"""F2: the tests of instances, URLs and storage against a server with two storage backends that have tags."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.two_backends import served
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.instances import VIEWS, default_backend, get_urls, second_backend
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.server import Subject
from tests.conformance.test_get_urls import *  # noqa: F403
from tests.conformance.test_object_instances import *  # noqa: F403
from tests.conformance.test_storage import test_each_backend_takes_objects  # noqa: F401


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with served(tmp_path_factory.mktemp("backends")) as subject:
        yield subject


@pytest.fixture(scope="module")
def http(subject: Subject) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {subject.token}"}
    with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.behaviour("SEG-GET-33", "A11", "AMB-32", "TAGQ-03", "TAGQ-05", "TAG-06")
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"tier": ["hot"]}, ["default"]),
        ({"tier": ["cold", "hot"]}, ["default", "second"]),
        ({"tier": ["hot", "cold"], "slow": ["yes"]}, ["second"]),
        ({"sites": ["Salford, Greater Manchester"]}, ["default"]),
        ({"sites": ["Salford", "Greater Manchester"]}, []),
        ({"sites": ["Lond"]}, []),
        ({"tier": ["HOT"]}, []),
    ],
    ids=str,
)
def test_get_urls_are_filtered_by_backend_tags(
    tams: TamsClient, view: str, filters: dict[str, list[str]], expected: list[str]
) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, b"bytes")[0])
    second = second_backend(tams)["id"]
    assert tams.post(f"/objects/{object_id}/instances", {"storage_id": second}).status_code == 201
    params = {f"storage_backend_tag.{name}": values for name, values in filters.items()}
    found = {each["label"] for each in get_urls(tams, view, flow["id"], object_id, **params)}
    assert sorted(found) == expected


@pytest.mark.behaviour("OBJ-INST-DEL-04", "A54")
def test_storage_id_and_label_must_identify_the_same_instance(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, b"bytes")[0])
    home, second = default_backend(tams), second_backend(tams)
    path = f"/objects/{object_id}/instances"
    assert tams.post(path, {"storage_id": second["id"]}).status_code == 201
    assert tams.delete(path, storage_id=home["id"], label=second["label"]).status_code == 400
    assert tams.delete(path, storage_id=home["id"], label=home["label"]).status_code == 204
    urls = get_urls(tams, "segment", flow["id"], object_id, verbose_storage=True)
    assert {each["storage_id"] for each in urls} == {second["id"]}
