"""Instances of objects: copies on other backends, uncontrolled URLs, and their deletion."""

import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import add_uncontrolled_url, default_backend, get_urls, second_backend
from tests.conformance.kit.media import download
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.segments import register_external, register_segment
from tests.conformance.kit.skips import not_implemented

CONTENT = b"the bytes of the original" * 1000


@pytest.fixture
def stored(tams: TamsClient) -> tuple[str, str]:
    """The ids of a flow and of an object uploaded for it."""
    flow = tams.make_flow()
    return flow["id"], register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, CONTENT)[0])


def instances(object_id: str) -> str:
    return f"/objects/{path_segment(object_id)}/instances"


def copied(tams: TamsClient, stored: tuple[str, str], target: Json) -> list[Json]:
    """Copy the object to `target`, wait until the copy is shown, and return its URLs."""
    response = tams.post(instances(stored[1]), {"storage_id": target["id"]})
    assert response.status_code == 201, response.text
    return wait_until(
        lambda: get_urls(tams, "object", *stored, accept_storage_ids=[target["id"]]), "a URL on the second backend"
    )


@pytest.mark.behaviour("OBJ-INST-POST-01", "OBJ-INST-POST-02", "OBJ-INST-POST-03", "OBJ-21", "SEG-GET-20", "SEG-GET-29")
def test_a_copy_on_another_backend_has_the_same_bytes(tams: TamsClient, stored: tuple[str, str]) -> None:
    target = second_backend(tams)
    for url in copied(tams, stored, target):
        assert url.get("label") == target.get("label")
        assert download(tams, url).content == CONTENT
    everywhere = get_urls(tams, "segment", *stored, verbose_storage=True)
    assert {each["storage_id"] for each in everywhere} == {target["id"], default_backend(tams)["id"]}


@pytest.mark.behaviour("OBJ-INST-DEL-01", "OBJ-INST-DEL-11")
@pytest.mark.parametrize("which", ["copy", "original"])
def test_deleting_a_copy_leaves_the_other(tams: TamsClient, stored: tuple[str, str], which: str) -> None:
    home, target = default_backend(tams), second_backend(tams)
    copied(tams, stored, target)
    removed, kept = (target, home) if which == "copy" else (home, target)
    urls = get_urls(tams, "object", *stored, accept_storage_ids=[removed["id"]])
    assert tams.delete(instances(stored[1]), storage_id=removed["id"]).status_code == 204
    for view in ("segment", "object"):
        assert {each["storage_id"] for each in get_urls(tams, view, *stored, verbose_storage=True)} == {kept["id"]}
    for url in get_urls(tams, "segment", *stored):
        assert download(tams, url).content == CONTENT
    wait_until(lambda: not any(download(tams, url).is_success for url in urls), "the bytes to be removed")


@pytest.mark.behaviour("OBJ-INST-POST-06", "A51")
def test_a_second_copy_on_a_backend_is_rejected(tams: TamsClient, stored: tuple[str, str]) -> None:
    home = default_backend(tams)
    before = get_urls(tams, "object", *stored)
    assert tams.post(instances(stored[1]), {"storage_id": home["id"]}).status_code in (201, 400)
    assert len(get_urls(tams, "object", *stored)) == len(before)


@pytest.mark.behaviour("OBJ-INST-POST-07", "SEG-GET-20", "OBJ-INST-DEL-02")
def test_an_uncontrolled_url_is_shown_until_it_is_deleted(tams: TamsClient, stored: tuple[str, str]) -> None:
    sent = add_uncontrolled_url(tams, stored[1])
    for view in ("segment", "object"):
        (found,) = get_urls(tams, view, *stored, accept_get_urls=[sent["label"]], verbose_storage=True)
        assert (found["url"], found["controlled"]) == (sent["url"], False)
    assert tams.delete(instances(stored[1]), label=sent["label"]).status_code == 204
    for view in ("segment", "object"):
        assert sent["label"] not in {each.get("label") for each in get_urls(tams, view, *stored)}


@pytest.mark.behaviour("OBJ-INST-POST-08", "OBJ-INST-POST-05", "OBJ-INST-POST-11", "GEN-03")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "https://media.example.com/a"},
        {"label": "a"},
        {"url": 7, "label": "a"},
        {"url": "https://media.example.com/a", "label": ["a"]},
        {"storage_id": "not-a-uuid"},
        {"storage_id": None},
        {"storage_id": "unknown"},
        {"storage_id": "home", "url": "https://media.example.com/a", "label": "a"},
        [],
        "text",
    ],
    ids=str,
)
def test_an_invalid_instance_is_rejected(tams: TamsClient, stored: tuple[str, str], body: object) -> None:
    if isinstance(body, dict):
        known = {"unknown": fresh(), "home": default_backend(tams)["id"]}
        body = {name: known.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    before = len(get_urls(tams, "object", *stored))
    assert tams.post(instances(stored[1]), body).status_code == 400
    assert len(get_urls(tams, "object", *stored)) == before


@pytest.mark.behaviour("OBJ-INST-POST-09", "SB-USE-04")
def test_the_label_of_a_backend_cannot_be_used(tams: TamsClient, stored: tuple[str, str]) -> None:
    home = default_backend(tams)
    if "label" not in home:
        not_implemented("a label on the default storage backend")
    instance = {"url": "https://media.example.com/a", "label": home["label"]}
    assert tams.post(instances(stored[1]), instance).status_code == 400


@pytest.mark.behaviour("OBJ-INST-POST-10", "A52")
def test_a_label_identifies_one_url(tams: TamsClient, stored: tuple[str, str]) -> None:
    sent = add_uncontrolled_url(tams, stored[1])
    second = {"url": "https://media.example.com/other", "label": sent["label"]}
    response = tams.post(instances(stored[1]), second)
    assert response.status_code in (201, 400)
    urls = {each["url"] for each in get_urls(tams, "object", *stored, accept_get_urls=[sent["label"]])}
    if response.status_code == 400:
        assert urls == {sent["url"]}
    else:
        assert second["url"] in urls


@pytest.mark.behaviour("OBJ-INST-POST-12", "OBJ-INST-DEL-08")
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_unknown_object_has_no_instances(tams: TamsClient, method: str) -> None:
    options: Json = {"json": {"url": "https://media.example.com/a", "label": "a"}}
    if method == "DELETE":
        options = {"params": {"label": "a"}}
    assert tams.request(method, instances(fresh_name("unknown/")), **options).status_code == 404


@pytest.mark.behaviour("OBJ-INST-DEL-03", "OBJ-INST-DEL-05", "A55")
@pytest.mark.parametrize(
    ("params", "statuses"),
    [
        ({}, {400}),
        ({"label": "nobody's"}, {400, 404}),
        ({"storage_id": "11111111-1111-4111-8111-11111111111a"}, {400, 404}),
        ({"storage_id": "not-a-uuid"}, {400, 404}),
    ],
    ids=str,
)
def test_an_unknown_instance_cannot_be_deleted(
    tams: TamsClient, stored: tuple[str, str], params: dict[str, str], statuses: set[int]
) -> None:
    add_uncontrolled_url(tams, stored[1])
    before = len(get_urls(tams, "object", *stored))
    assert tams.delete(instances(stored[1]), **params).status_code in statuses
    assert len(get_urls(tams, "object", *stored)) == before


@pytest.mark.behaviour("OBJ-INST-DEL-04", "A54")
def test_a_deletion_cannot_name_two_different_instances(tams: TamsClient, stored: tuple[str, str]) -> None:
    home = default_backend(tams)
    first, _ = add_uncontrolled_url(tams, stored[1]), add_uncontrolled_url(tams, stored[1])
    before = len(get_urls(tams, "object", *stored))
    response = tams.delete(instances(stored[1]), storage_id=home["id"], label=first["label"])
    assert response.status_code in (204, 400, 404)
    if response.status_code != 204:
        assert len(get_urls(tams, "object", *stored)) == before


@pytest.mark.behaviour("OBJ-INST-DEL-06", "A56")
def test_the_last_instance_cannot_be_deleted(tams: TamsClient, stored: tuple[str, str]) -> None:
    home = default_backend(tams)
    assert tams.delete(instances(stored[1]), storage_id=home["id"]).status_code in (400, 403)
    (url, *_) = get_urls(tams, "segment", *stored)
    assert download(tams, url).content == CONTENT


@pytest.mark.behaviour("OBJ-INST-DEL-06", "A56")
def test_the_last_uncontrolled_instance_cannot_be_deleted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    segment = register_external(tams, flow["id"])
    response = tams.delete(instances(segment["object_id"]), label=segment["get_urls"][0]["label"])
    assert response.status_code in (400, 403)
    assert len(get_urls(tams, "object", flow["id"], segment["object_id"])) == 1


@pytest.mark.behaviour("OBJ-INST-DEL-07", "OBJ-INST-DEL-01")
def test_the_last_controlled_copy_can_be_deleted_if_another_url_remains(
    tams: TamsClient, stored: tuple[str, str]
) -> None:
    home = default_backend(tams)
    sent = add_uncontrolled_url(tams, stored[1])
    response = tams.delete(instances(stored[1]), storage_id=home["id"])
    assert response.status_code in (204, 400, 403)
    left = {each.get("label") for each in get_urls(tams, "object", *stored)}
    assert left == ({sent["label"]} if response.status_code == 204 else {sent["label"], home.get("label")})


@pytest.mark.behaviour("OBJ-INST-POST-04", "OBJ-INST-POST-16")
def test_a_copy_of_unreadable_media_is_never_shown(tams: TamsClient) -> None:
    """The copy cannot be made because the URL is unreachable; the server may reject it or fail later."""
    flow = tams.make_flow()
    segment = register_external(tams, flow["id"])
    response = tams.post(instances(segment["object_id"]), {"storage_id": default_backend(tams)["id"]})
    assert response.status_code in (201, 400)
    found = get_urls(tams, "object", flow["id"], segment["object_id"])
    assert [each["url"] for each in found] == [segment["get_urls"][0]["url"]]
