"""A catalogue with many flows and sources, of which filters find many, few or none."""

from dataclasses import dataclass
from typing import Any

from tests.benchmarks.flow_seeding import Api
from tests.benchmarks.seeding import Seeder, uuid_text
from tests.conformance.kit.documents import DATA, IMAGE, MULTI, TECHNICAL, VIDEO, flow

COMMON, RARE, ABSENT = "common", "rare", "absent"
VALUES = (COMMON, RARE, ABSENT)
_FEW_COPIES = range(1, 3)
_HALF = "n % 2 = 0"

_COLLECTOR, _COLLECTOR_SOURCE = 20, 21
_COLLECTORS = {COMMON: uuid_text(_COLLECTOR, 1), RARE: uuid_text(_COLLECTOR, 2), ABSENT: uuid_text(_COLLECTOR, 3)}
_SOURCE_COLLECTORS = {kind: uuid_text(_COLLECTOR_SOURCE, n) for n, kind in enumerate(_COLLECTORS, start=1)}


@dataclass(frozen=True, slots=True)
class _Original:
    """A flow that is copied, with its source, tags, segment and place in a collection, to those of `numbers`.

    kind: makes the ids unique. changes: members of the flow. timerange: of its segment; "" for none.
    """

    kind: int
    changes: dict[str, Any]
    timerange: str
    collection: str

    @property
    def id(self) -> str:
        return uuid_text(self.kind, 0)

    @property
    def source_id(self) -> str:
        return uuid_text(self.kind + 1, 0)


_RARE = _Original(
    1,
    {
        "codec": "video/rare",
        "essence_parameters": {**TECHNICAL[VIDEO]["essence_parameters"], "frame_width": 7680},
        "tags": {"kind": "trailer", "marked": "yes"},
    },
    "[1000:0_1002:0)",
    RARE,
)
"""The oldest flows. They come last in the listing, after all others."""
_OF_RARE_FORMAT = _Original(7, {**TECHNICAL[IMAGE], "tags": {"kind": "programme"}}, "", "")
_WITH_CONTENT = _Original(3, {"tags": {"kind": "programme", "site": "London"}}, "[0:0_10:0)", COMMON)
_WITHOUT_CONTENT = _Original(5, {"tags": {"kind": "programme"}}, "", "")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, as parameters for the values that are common, rare and absent."""

    name: str
    parameters: dict[str, str]


def _filter(name: str, common: str, rare: str, absent: str) -> Filter:
    return Filter(name, {COMMON: common, RARE: rare, ABSENT: absent})


_FORMAT = _filter("format", *(f"format={kind}" for kind in (VIDEO, IMAGE, DATA)))
_TAG = _filter("tag", "tag.kind=programme", "tag.kind=trailer", "tag.kind=none")
_TAG_EXISTS = _filter("tag_exists", *(f"tag_exists.{name}=true" for name in ("site", "marked", "nothing")))

FILTERS = {
    "flows": (
        _FORMAT,
        _filter("codec", *(f"codec={name}" for name in ("video/h264", "video/rare", "video/none"))),
        _filter("frame_width", *(f"frame_width={width}" for width in (1280, 7680, 1))),
        _TAG,
        _TAG_EXISTS,
        _filter("timerange", *(f"timerange=[{start}:0_{start + 2}:0)" for start in (0, 1000, 5000))),
        Filter("collected_by_ids", {kind: f"collected_by_ids={id_}" for kind, id_ in _COLLECTORS.items()}),
    ),
    "sources": (
        _FORMAT,
        _TAG,
        _TAG_EXISTS,
        Filter("collected_by_ids", {kind: f"collected_by_ids={id_}" for kind, id_ in _SOURCE_COLLECTORS.items()}),
    ),
}


def create(api: Api) -> None:
    """Make the flows that `fill` copies, and the collections that it fills."""
    for original in (_RARE, _OF_RARE_FORMAT, _WITH_CONTENT, _WITHOUT_CONTENT):
        document = flow(id=original.id, source_id=original.source_id, label="original") | original.changes
        api.send("PUT", f"/flows/{original.id}", document)
        if original.timerange:
            object_id = f"of {original.id}"
            api.send("POST", f"/flows/{original.id}/storage", {"object_ids": [object_id]})
            segment = {"object_id": object_id, "timerange": original.timerange}
            api.send("POST", f"/flows/{original.id}/segments", segment)
        if original.collection:
            collector = flow(
                MULTI,
                id=_COLLECTORS[original.collection],
                source_id=_SOURCE_COLLECTORS[original.collection],
                flow_collection=[{"id": original.id, "role": "member"}],
            )
            api.send("PUT", f"/flows/{collector['id']}", collector)


def fill(seeder: Seeder, count: int) -> None:
    """Copy the flows and their sources until there are about `count` of each. Every other one has content."""
    [(newest,)] = seeder.execute("SELECT MAX(created) FROM flows")
    for rare in (_RARE, _OF_RARE_FORMAT):
        _copy(seeder, rare, _FEW_COPIES, "1 = 1", "t.created - n")
    _copy(seeder, _WITH_CONTENT, range(1, count), _HALF, f"{newest} + n")
    _copy(seeder, _WITHOUT_CONTENT, range(1, count), f"NOT ({_HALF})", f"{newest} + n")


def _copy(seeder: Seeder, original: _Original, numbers: range, only: str, created: str) -> None:
    """Copy one flow. created: an expression for the time of creation."""
    flow_id, source_id = seeder.uuid(original.kind), seeder.uuid(original.kind + 1)
    label = "'copy ' || CAST(n AS text)"
    times = dict.fromkeys(("created", "updated", "metadata_updated"), created)
    replaced = {original.id: flow_id, original.source_id: source_id}
    common = {**times, "label": label, "doc": _replaced(seeder, replaced)}
    flows = {**common, "id": flow_id, "source_id": source_id}
    seeder.copy("flows", f"t.id = '{original.id}'", numbers, flows, only=only)
    sources = {**common, "id": source_id}
    seeder.copy("sources", f"t.id = '{original.source_id}'", numbers, sources, only=only)
    if original.timerange:
        with seeder.unconstrained("segments"):
            seeder.copy("segments", f"t.flow_id = '{original.id}'", numbers, {"flow_id": flow_id}, only=only)
    for kind, old, new in (("flow", original.id, flow_id), ("source", original.source_id, source_id)):
        owned = f"t.kind = '{kind}' AND t.owner_id = '{old}'"
        seeder.copy("tags", owned, numbers, {**times, "owner_id": new}, only=only)
    for table, old, new in (
        ("collections", original.id, flow_id),
        ("source_collections", original.source_id, source_id),
    ):
        members = {"position": "n", "member_id": new}
        seeder.copy(table, f"t.member_id = '{old}'", numbers, members, only=only)


def _replaced(seeder: Seeder, texts: dict[str, str]) -> str:
    """The document with these texts replaced by the values of expressions."""
    expression = seeder.text("t.doc")
    for old, new in texts.items():
        expression = f"replace({expression}, '{old}', {new})"
    return seeder.json(expression)
