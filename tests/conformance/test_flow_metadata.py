"""Members of a flow that the server manages: creator, times, and metadata_version (FLOW-META-*)."""

from collections.abc import Callable

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.polling import wait_until

PAST = "2001-02-03T04:05:06Z"
START: Json = {"label": "A", "description": "B", "tags": {"c": "d"}, "max_bit_rate": 1, "avg_bit_rate": 1}
Change = Callable[[TamsClient, Json], httpx.Response]


def at_path(method: str, path: str, body: Callable[[], object] | None = None) -> Change:
    """A change at a path below the flow. `body` returns a new value at each call."""

    def change(tams: TamsClient, document: Json) -> httpx.Response:
        return tams.request(method, f"/flows/{document['id']}/{path}", json=body() if body else None)

    change.__name__ = f"{method}-{path}"
    return change


def of_the_flow(tams: TamsClient, document: Json) -> httpx.Response:
    return put_flow(tams, {**document, "label": fresh_name()})


def number() -> int:
    return int(fresh()[:7], 16)


PUTS: list[Change] = [
    of_the_flow,
    at_path("PUT", "label", fresh_name),
    at_path("PUT", "description", fresh_name),
    at_path("PUT", "tags/c", fresh_name),
    at_path("PUT", "tags/e", lambda: [fresh_name()]),
    at_path("PUT", "max_bit_rate", number),
    at_path("PUT", "avg_bit_rate", number),
]
DELETES: list[Change] = [
    at_path("DELETE", "label"),
    at_path("DELETE", "description"),
    at_path("DELETE", "tags/c"),
    at_path("DELETE", "max_bit_rate"),
    at_path("DELETE", "avg_bit_rate"),
]
CHANGES = [*PUTS, *DELETES, at_path("PUT", "read_only", lambda: True)]
"""Changes of the collection are tested in test_flow_collections.py."""


def name_of(change: Change) -> str:
    return change.__name__


@pytest.mark.behaviour("FLOW-META-01", "GEN-11")
def test_the_creation_time_is_not_taken_from_the_client(tams: TamsClient) -> None:
    created = read_flow(tams, tams.make_flow(flow(created=PAST))["id"])["created"]
    assert not created.startswith("2001-02-03")


@pytest.mark.behaviour("FLOW-META-01", "FLOW-META-07")
@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_creator_and_time_of_creation_never_change(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START))
    before = read_flow(tams, document["id"])
    assert change(tams, {**document, "created": PAST, "created_by": "somebody-else"}).status_code == 204
    after = read_flow(tams, document["id"])
    assert (after["created"], after["created_by"]) == (before["created"], before["created_by"])


@pytest.mark.behaviour("FLOW-META-02", "FLOW-META-11", "FLOW-META-13")
@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_every_change_changes_the_metadata_version(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START))
    before = read_flow(tams, document["id"])
    assert change(tams, document).status_code == 204
    assert read_flow(tams, document["id"])["metadata_version"] != before["metadata_version"]


@pytest.mark.behaviour("FLOW-META-02")
@pytest.mark.parametrize("change", PUTS, ids=name_of)
def test_every_change_updates_metadata_updated(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START))
    before = read_flow(tams, document["id"])["metadata_updated"]

    def moved() -> bool:
        assert change(tams, {**document, "metadata_updated": PAST}).status_code == 204
        return bool(read_flow(tams, document["id"])["metadata_updated"] != before)

    wait_until(moved, "another metadata_updated, even if the server's clock is coarse")
    assert not read_flow(tams, document["id"])["metadata_updated"].startswith("2001-02-03")


@pytest.mark.behaviour("FLOW-META-02")
@pytest.mark.parametrize("change", DELETES, ids=name_of)
def test_every_removal_updates_metadata_updated(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START))
    before = read_flow(tams, document["id"])["metadata_updated"]

    def moved() -> bool:
        assert put_flow(tams, document).status_code == 204
        put = read_flow(tams, document["id"])["metadata_updated"]
        assert change(tams, document).status_code == 204
        return bool(read_flow(tams, document["id"])["metadata_updated"] not in (before, put))

    wait_until(moved, "another metadata_updated, even if the server's clock is coarse")


@pytest.mark.behaviour("FLOW-META-03", "FLOW-META-14", "FLOW-META-04")
def test_registering_segments_updates_segments_updated_only(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    before = read_flow(tams, flow_id)
    tams.make_segments(flow_id, ["[0:0_1:0)"])
    added = read_flow(tams, flow_id)
    start = 1

    def moved_by_more() -> bool:
        nonlocal start
        tams.make_segments(flow_id, [f"[{start}:0_{start + 1}:0)"])
        start += 1
        return bool(read_flow(tams, flow_id)["segments_updated"] != added["segments_updated"])

    wait_until(moved_by_more, "another segments_updated after a POST, even if the server's clock is coarse")
    for name in ("metadata_updated", "metadata_version"):
        assert read_flow(tams, flow_id)[name] == added[name] == before[name]


@pytest.mark.behaviour("FLOW-META-03", "FLOW-META-14", "FLOW-META-04")
def test_deleting_segments_updates_segments_updated_only(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]

    def moved() -> bool:
        tams.make_segments(flow_id, ["[0:0_1:0)"])
        before = read_flow(tams, flow_id)
        assert tams.delete(f"/flows/{flow_id}/segments").status_code in (202, 204)
        wait_until(lambda: not tams.segments(flow_id), "the segments to be deleted")
        after = read_flow(tams, flow_id)
        assert after["metadata_updated"] == before["metadata_updated"]
        assert after["metadata_version"] == before["metadata_version"]
        return bool(after["segments_updated"] != before["segments_updated"])

    wait_until(moved, "another segments_updated after a DELETE, even if the server's clock is coarse")


@pytest.mark.behaviour("FLOW-META-04")
@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_changing_metadata_leaves_segments_updated(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START))
    tams.make_segments(document["id"], ["[0:0_1:0)"])
    before = read_flow(tams, document["id"])["segments_updated"]
    assert change(tams, {**document, "segments_updated": PAST}).status_code == 204
    assert read_flow(tams, document["id"])["segments_updated"] == before


@pytest.mark.behaviour("FLOW-META-04", "A67")
def test_segments_updated_is_not_taken_from_the_client(tams: TamsClient) -> None:
    document = tams.make_flow(flow(segments_updated=PAST))
    assert not str(read_flow(tams, document["id"]).get("segments_updated")).startswith("2001-02-03")


@pytest.mark.behaviour("FLOW-META-05")
def test_a_timerange_from_the_client_is_ignored(tams: TamsClient) -> None:
    document = flow(timerange="[0:0_99:0)")
    assert put_flow(tams, document).json().get("timerange", "()") == "()"
    assert read_flow(tams, document["id"], include_timerange=True)["timerange"] == "()"
    tams.make_segments(document["id"], ["[5:0_6:0)"])
    assert put_flow(tams, document).status_code == 204
    assert read_flow(tams, document["id"], include_timerange=True)["timerange"] == "[5:0_6:0)"
    assert "timerange" not in read_flow(tams, document["id"])


@pytest.mark.behaviour("FLOW-META-06")
def test_a_collector_from_the_client_is_ignored(tams: TamsClient) -> None:
    other, member = tams.make_flow(), flow()
    assert put_flow(tams, {**member, "collected_by": [other["id"]]}).status_code == 201
    assert not read_flow(tams, member["id"]).get("collected_by")
    collector = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
    assert put_flow(tams, {**member, "collected_by": []}).status_code == 204
    assert read_flow(tams, member["id"])["collected_by"] == [collector["id"]]
    assert not read_flow(tams, other["id"]).get("flow_collection")


@pytest.mark.behaviour("FLOW-META-07", "FLOW-META-08")
@pytest.mark.parametrize("sent", [{}, {"created_by": "a", "updated_by": "b"}], ids=["left-out", "given"])
def test_a_flow_names_its_creator_and_updater(tams: TamsClient, sent: Json) -> None:
    document = tams.make_flow(flow(**sent))
    created = read_flow(tams, document["id"])
    assert created["created_by"]
    assert tams.put(f"/flows/{document['id']}/label", "A").status_code == 204
    assert read_flow(tams, document["id"])["updated_by"]


@pytest.mark.behaviour("FLOW-META-09", "FLOW-META-16")
@pytest.mark.parametrize("version", ["1", "2026-01-02T03:04:05Z", "\N{SNOWMAN} opaque", ""])
def test_a_metadata_version_given_at_creation_is_kept(tams: TamsClient, version: str) -> None:
    document = tams.make_flow(flow(metadata_version=version))
    assert read_flow(tams, document["id"])["metadata_version"] == version


@pytest.mark.behaviour("FLOW-META-10")
def test_a_flow_created_without_a_metadata_version_gets_one(tams: TamsClient) -> None:
    assert read_flow(tams, tams.make_flow()["id"])["metadata_version"]


@pytest.mark.behaviour("FLOW-META-11")
@pytest.mark.parametrize("sent", [{}, {"metadata_version": "v1"}], ids=["absent", "equal"])
def test_a_change_without_a_new_metadata_version_gets_one(tams: TamsClient, sent: Json) -> None:
    document = tams.make_flow(flow(metadata_version="v1"))
    bare = {name: value for name, value in document.items() if name != "metadata_version"}
    assert put_flow(tams, {**bare, **sent, "label": "changed"}).status_code == 204
    assert read_flow(tams, document["id"])["metadata_version"] not in ("v1", "")


@pytest.mark.behaviour("FLOW-META-12")
def test_a_new_metadata_version_from_the_client_is_kept_or_replaced(tams: TamsClient) -> None:
    document = tams.make_flow(flow(metadata_version="v1"))
    assert put_flow(tams, {**document, "metadata_version": "v2", "label": "changed"}).status_code == 204
    assert read_flow(tams, document["id"])["metadata_version"] not in ("v1", "")


@pytest.mark.behaviour("FLOW-META-15")
def test_different_metadata_never_has_the_same_metadata_version(tams: TamsClient) -> None:
    document = tams.make_flow(flow(label="0"))
    versions = [read_flow(tams, document["id"])["metadata_version"]]
    for label in range(1, 6):
        assert tams.put(f"/flows/{document['id']}/label", str(label)).status_code == 204
        versions.append(read_flow(tams, document["id"])["metadata_version"])
    assert len(set(versions)) == len(versions)


FAILING: list[tuple[Change, int]] = [
    (lambda tams, document: put_flow(tams, {**document, "source_id": "nonsense"}), 400),
    (at_path("PUT", "label", lambda: 5), 400),
    (at_path("PUT", "description", lambda: ["a"]), 400),
    (at_path("PUT", "tags/c", lambda: {"a": 1}), 400),
    (at_path("PUT", "max_bit_rate", lambda: -1), 400),
    (at_path("PUT", "avg_bit_rate", lambda: "fast"), 400),
    (at_path("PUT", "read_only", lambda: "true"), 400),
    (at_path("PUT", "flow_collection", lambda: [{"id": fresh()}]), 400),
    (at_path("POST", "segments", lambda: {"object_id": "a"}), 400),
    (at_path("POST", "storage", lambda: {"limit": "many"}), 400),
]


@pytest.mark.behaviour("FLOW-META-17")
@pytest.mark.parametrize(("change", "status"), FAILING)
def test_a_rejected_change_leaves_version_and_times(tams: TamsClient, change: Change, status: int) -> None:
    document = tams.make_flow(flow(**START))
    before = read_flow(tams, document["id"])
    assert change(tams, document).status_code == status
    assert read_flow(tams, document["id"]) == before


@pytest.mark.behaviour("FLOW-META-17")
@pytest.mark.parametrize("change", [each for each in CHANGES if name_of(each) != "PUT-read_only"], ids=name_of)
def test_a_forbidden_change_leaves_version_and_times(tams: TamsClient, change: Change) -> None:
    document = tams.make_flow(flow(**START, read_only=True))
    before = read_flow(tams, document["id"])
    assert change(tams, document).status_code == 403
    assert read_flow(tams, document["id"]) == before
