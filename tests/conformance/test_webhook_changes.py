"""Replacement and deletion of webhooks (HOOK-PUT-*, HOOK-DEL-*)."""

from typing import Any

import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.webhooks import LISTING, make_webhook, path_of, put_webhook, read_webhook, webhook


@pytest.fixture
def made(tams: TamsClient) -> Json:
    """A disabled webhook with a unique tag."""
    return make_webhook(tams, tags={"kit": fresh_name("tag")})


@pytest.mark.behaviour("HOOK-PUT-01", "HOOK-PUT-06")
def test_a_webhook_is_replaced(tams: TamsClient, made: Json) -> None:
    new = {"url": webhook()["url"], "events": ["sources/updated", "flows/deleted"], "tags": {"kit": fresh_name("tag")}}
    response = put_webhook(tams, made, **new)
    assert response.status_code == 201
    assert response.json() == read_webhook(tams, made) == {**made, **new}
    listed = tams.get(LISTING, **{"tag.kit": new["tags"]["kit"]}).json()
    assert [item["id"] for item in listed] == [made["id"]]
    assert tams.get(LISTING, **{"tag.kit": made["tags"]["kit"]}).json() == []


@pytest.mark.behaviour("HOOK-PUT-06", "HOOK-PUT-01")
def test_a_replacement_removes_omitted_members(tams: TamsClient) -> None:
    options = {"source_ids": [fresh()], "accept_get_urls": [], "verbose_storage": True, "presigned": True}
    made = make_webhook(tams, **options, api_key_name="X-Key", api_key_value="kit-secret", tags={"kit": "a"})
    bare = {name: made[name] for name in ("id", "url", "events", "status")}
    response = tams.put(path_of(made), bare)
    assert response.status_code == 201
    for shown in (response.json(), read_webhook(tams, made)):
        assert {name: value for name, value in shown.items() if value not in ({}, False)} == bare


@pytest.mark.behaviour("HOOK-PUT-06", "FLT-06")
def test_a_replacement_distinguishes_an_empty_list_from_none(tams: TamsClient) -> None:
    made = make_webhook(tams, flow_collected_by_ids=[], source_collected_by_ids=[fresh()])
    response = put_webhook(tams, made, flow_collected_by_ids=None, source_collected_by_ids=[])
    assert response.status_code == 201
    shown = read_webhook(tams, made)
    assert "flow_collected_by_ids" not in shown
    assert shown["source_collected_by_ids"] == []


@pytest.mark.behaviour("HOOK-PUT-02", "HOOK-PUT-03", "HOOK-PUT-04", "HOOK-PUT-07", "SVC-GEN-04")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", OMITTED),
        ("id", "8f14e45f-ceea-467f-a8d4-dd1c3b1e0f00"),
        ("id", "nonsense"),
        ("url", OMITTED),
        ("url", 5),
        ("events", OMITTED),
        ("events", ["flows/renamed"]),
        ("status", OMITTED),
        ("status", "started"),
        ("status", "error"),
        ("status", None),
        ("flow_ids", ["nonsense"]),
        ("source_collected_by_ids", "all"),
        ("accept_storage_ids", [5]),
        ("presigned", "yes"),
        ("tags", {"a": 5}),
        ("api_key_name", "X Key"),
    ],
    ids=str,
)
def test_an_invalid_replacement_is_rejected_and_changes_nothing(
    tams: TamsClient, made: Json, name: str, value: Any
) -> None:
    body = changed({**made, "url": webhook()["url"], "api_key_value": "kit-secret"}, name, value)
    assert tams.put(path_of(made), body).status_code == 400
    assert read_webhook(tams, made) == made


@pytest.mark.behaviour("HOOK-PUT-05")
def test_replacing_an_unknown_webhook_creates_none(tams: TamsClient, made: Json) -> None:
    tag = fresh_name("tag")
    unknown = {**made, "id": fresh(), "tags": {"kit": tag}}
    assert put_webhook(tams, unknown).status_code == 404
    assert tams.get(path_of(unknown)).status_code == 404
    assert tams.get(LISTING, **{"tag.kit": tag}).json() == []


@pytest.mark.behaviour("HOOK-PUT-01", "HOOK-ST-02", "HOOK-ST-03")
def test_a_client_can_disable_and_restart_a_webhook(tams: TamsClient) -> None:
    made = make_webhook(tams, status="created", source_ids=[fresh()])
    for status, shown in (("disabled", {"disabled"}), ("created", {"created", "started"}), ("disabled", {"disabled"})):
        response = put_webhook(tams, made, status=status)
        assert response.status_code == 201
        assert response.json()["status"] in shown
        assert read_webhook(tams, made)["status"] in shown


@pytest.mark.behaviour("HOOK-PUT-06", "AMB-12")
def test_the_key_is_removed_with_its_name(tams: TamsClient) -> None:
    made = make_webhook(tams, api_key_name="X-Key", api_key_value="kit-secret")
    assert put_webhook(tams, made, api_key_name=None).status_code == 201
    assert "api_key_name" not in read_webhook(tams, made)


@pytest.mark.behaviour("HOOK-DEL-01", "HOOK-DEL-02")
def test_a_deleted_webhook_is_gone(tams: TamsClient, made: Json) -> None:
    response = tams.delete(path_of(made))
    assert (response.status_code, response.content) == (204, b"")
    assert tams.get(path_of(made)).status_code == 404
    assert tams.head(path_of(made)).status_code == 404
    assert put_webhook(tams, made).status_code == 404
    assert tams.get(LISTING, **{"tag.kit": made["tags"]["kit"]}).json() == []
    assert tams.delete(path_of(made)).status_code == 404


@pytest.mark.behaviour("HOOK-DEL-01")
def test_deleting_a_webhook_leaves_an_identical_one(tams: TamsClient, made: Json) -> None:
    twin = make_webhook(tams, **{name: value for name, value in made.items() if name != "id"})
    assert tams.delete(path_of(made)).status_code == 204
    assert read_webhook(tams, twin) == twin
