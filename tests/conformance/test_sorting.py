"""The order of listings: by date, by label, and of items without a label."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.segments import timeranges
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.timelines import SEGMENTS, make_timeline

LABELS = ["m", "a", None, "z", "b", "m", None, "c"]
"""Single lower-case letters, which sort alike in every collation (A10). Two items share one, two have none."""
CHANGED_LATER = {"flows": "metadata_updated", "sources": "updated"}


@dataclass(frozen=True, slots=True)
class SortedItems:
    """Items of one kind in order of creation, and the request that lists only these."""

    kind: str
    params: dict[str, str]
    ids: list[str]

    def read(self, tams: TamsClient, **params: Any) -> list[Json]:
        """All items, in listing order."""
        found = [item for page in tams.pages(f"/{self.kind}", **self.params, **params) for item in page.json()]
        assert sorted(item["id"] for item in found) == sorted(self.ids)
        return found


def make_items(tams: TamsClient, kind: str) -> SortedItems:
    """Make items with LABELS, and then change the second one, so that it was changed last."""
    tag, source_id = fresh_name("tag"), fresh()
    ids = []
    for label in LABELS:
        if kind == "flows":
            made = tams.make_flow(source_id=source_id, label=label, tags={"kit": tag})
            ids.append(made["id"])
            continue
        ids.append(tams.make_flow()["source_id"])
        assert tams.put(f"/sources/{ids[-1]}/tags/kit", tag).status_code == 204
        if label is not None:
            assert tams.put(f"/sources/{ids[-1]}/label", label).status_code == 204
    assert tams.put(f"/{kind}/{ids[1]}/description", "changed").status_code == 204
    return SortedItems(kind, {"tag.kit": tag}, ids)


@pytest.fixture(scope="module", params=["sources", "flows"])
def items(request: pytest.FixtureRequest, http: httpx.Client) -> Iterator[SortedItems]:
    """Sources or flows that no test changes."""
    with shared_client(http) as tams:
        yield make_items(tams, request.param)


def dates(items: list[Json], name: str) -> list[datetime]:
    return [datetime.fromisoformat(item[name]) for item in items]


# -- By date


@pytest.mark.behaviour(
    "SORT-01", "SORT-02", "SORT-04", "SORT-06", "SVC-SORT-01", "SVC-SORT-02", "SRC-LIST-01", "SRC-LIST-09"
)
@pytest.mark.parametrize("reverse", [None, False, True])
@pytest.mark.parametrize("sort_by", [None, "created", "changed"])
def test_items_are_sorted_newest_first_unless_reversed(
    tams: TamsClient, items: SortedItems, sort_by: str | None, reverse: bool | None
) -> None:
    name = CHANGED_LATER[items.kind] if sort_by == "changed" else sort_by
    found = dates(items.read(tams, sort_by=name, reverse_order=reverse), name or "created")
    assert found == sorted(found, reverse=not reverse)


@pytest.mark.behaviour("SORT-01", "SORT-02", "SORT-04", "SRC-LIST-01")
def test_items_are_sorted_by_created_by_default(tams: TamsClient, items: SortedItems) -> None:
    assert items.read(tams) == items.read(tams, sort_by="created")
    assert items.read(tams) == items.read(tams, reverse_order=True)[::-1]


@pytest.mark.behaviour("SORT-01", "SORT-02", "SVC-SORT-02")
def test_sorting_by_update_time_puts_the_last_changed_first(tams: TamsClient, items: SortedItems) -> None:
    name = CHANGED_LATER[items.kind]
    changed = tams.get(f"/{items.kind}/{items.ids[1]}").json()[name]
    assert items.read(tams, sort_by=name)[0][name] == changed
    assert items.read(tams, sort_by=name, reverse_order=True)[-1][name] == changed


# -- By label


@pytest.mark.behaviour("SORT-01", "SORT-02", "SORT-05", "SORT-07", "SVC-SORT-02", "SVC-SORT-03", "A10")
@pytest.mark.parametrize("reverse", [None, False])
def test_labels_are_sorted_from_a_to_z_and_items_without_one_follow_by_id(
    tams: TamsClient, items: SortedItems, reverse: bool | None
) -> None:
    found = items.read(tams, sort_by="label", reverse_order=reverse)
    assert [item.get("label") for item in found] == ["a", "b", "c", "m", "m", "z", None, None]
    unlabelled = [item["id"] for item in found[-2:]]
    assert unlabelled == sorted(unlabelled)


@pytest.mark.behaviour("SORT-05", "SORT-06", "SORT-08", "SVC-SORT-02", "SVC-SORT-03")
def test_reversed_labels_are_sorted_from_z_to_a_after_items_without_one(tams: TamsClient, items: SortedItems) -> None:
    found = items.read(tams, sort_by="label", reverse_order=True)
    assert [item.get("label") for item in found] == [None, None, "z", "m", "m", "c", "b", "a"]
    assert found == items.read(tams, sort_by="label")[::-1]


# -- On any key


@pytest.mark.behaviour("PAGE-14", "PAGE-03", "SORT-07", "SORT-08", "SVC-PAGE-05")
@pytest.mark.parametrize("reverse", [None, True])
@pytest.mark.parametrize("sort_by", ["created", "changed", "label"])
@pytest.mark.parametrize("limit", [1, 3])
def test_the_order_is_the_same_across_pages(
    tams: TamsClient, items: SortedItems, sort_by: str, reverse: bool | None, limit: int
) -> None:
    name = CHANGED_LATER[items.kind] if sort_by == "changed" else sort_by
    whole = items.read(tams, sort_by=name, reverse_order=reverse)
    assert items.read(tams, sort_by=name, reverse_order=reverse, limit=limit) == whole


@pytest.mark.behaviour("SORT-01", "SORT-02", "SVC-SORT-01", "SVC-SORT-04")
@pytest.mark.parametrize(
    ("path", "sort_by"),
    [
        ("/flows", "updated"),
        ("/flows", "segments_updated"),
        ("/flows", "timerange"),
        ("/flows", "id"),
        ("/flows", "Label"),
        ("/flows", "created,label"),
        ("/flows", ""),
        ("/sources", "metadata_updated"),
        ("/sources", "id"),
        ("/sources", "CREATED"),
        ("/sources", "-created"),
        ("/sources", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unknown_sort_keys_are_rejected(tams: TamsClient, method: str, path: str, sort_by: str) -> None:
    assert tams.request(method, path, params={"sort_by": sort_by}).status_code == 400


# -- Segments


@pytest.mark.behaviour("SORT-09", "SVC-SORT-05")
@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("reverse", [None, False, True])
def test_segments_are_sorted_by_time_whatever_the_order_of_their_registration(
    tams: TamsClient, reverse: bool | None, limit: int | None
) -> None:
    ordered = list(SEGMENTS.values())
    shuffled = [ordered[position] for position in (3, 0, 4, 1, 2)]
    id_ = make_timeline(tams, segments=shuffled)["id"]
    assert timeranges(tams, id_, reverse_order=reverse, limit=limit) == (ordered[::-1] if reverse else ordered)


@pytest.mark.behaviour("SORT-10", "SVC-SORT-05")
@pytest.mark.parametrize(
    "ordered",
    [
        ["[1:0_2:0)", "[2:0]"],
        ["[2:0]", "[2:1_3:0)"],
        ["[1:0_2:0]", "[2:1]", "[2:2_2:3)"],
        ["[-2:0]", "[-1:999999999_-1:0)", "[-1:0]", "[-0:999999999_0:0)", "[0:0]"],
        ["[9:0_10:0)", "[10:0_11:0)", "[100:0_101:0)"],
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_adjacent_segments_are_sorted_by_inclusivity(tams: TamsClient, ordered: list[str], reverse: bool) -> None:
    id_ = make_timeline(tams, segments=sorted(ordered))["id"]
    assert timeranges(tams, id_, reverse_order=reverse) == (ordered[::-1] if reverse else ordered)
