"""The rules of registering segments: which object may be used how, and where (SEG-POST-01 to -64).

A Batch holds what the rules need to know, judges one item after another, and gathers what is to be written; an item
that is refused leaves no trace in it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.objects.uncontrolled_urls import check_uncontrolled, uncontrolled_row
from storage.errors import Invalid
from storage.tables.conditions import Compare, In, equals
from storage.tables.engine import Reader, Row
from storage.timerange import TimeRange, parse_bounded, parse_storable_timestamp, parse_timerange

_OFFSET_KEPT = ("ts_offset", "last_duration", "sample_offset", "sample_count")


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object as the rules see it. state: "allocated", "media" or "init" (as in the table)."""

    id: str
    state: str
    flow_id: str | None
    timerange: TimeRange | None = None
    key_frame_count: int | None = None
    init_object_id: str | None = None
    is_new: bool = False


@dataclass(slots=True)
class Batch:
    """What one request registers for one flow. flow: its row; stored: rows of the objects that are there already;
    content_end: no segment that is there already ends after it (ns)."""

    tx: Reader
    env: Environment
    flow: Row
    stored: dict[str, Row]
    objects: dict[str, KnownObject]
    labels: dict[str, dict[str, str | None]]
    content_end: int
    segments: list[dict[str, Any]] = field(default_factory=list)
    changed: dict[str, KnownObject] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    @classmethod
    def load(
        cls, tx: Reader, env: Environment, flow: Row, items: Sequence[Mapping[str, Any]], content_end: int
    ) -> "Batch":
        """Read all that `items` refer to, in a few queries however many they are."""
        ids = {item["object_id"] for item in items} | {i["init_object_id"] for i in items if "init_object_id" in i}
        stored = {row["id"]: row for row in tx.select("objects", [In("id", sorted(ids))])}
        objects = {object_id: _known(row) for object_id, row in stored.items()}
        named = sorted({item["object_id"] for item in items if item.get("get_urls")})
        labels: dict[str, dict[str, str | None]] = {}
        for row in tx.select("instances", [In("object_id", named)]):
            labels.setdefault(row["object_id"], {})[row["label"]] = row["url"]
        return cls(tx, env, flow, stored, objects, labels, content_end)

    def add(self, item: Mapping[str, Any], timerange: TimeRange) -> None:
        """Judge one item, whose timerange has been read already. Raises Invalid, and then keeps nothing of it."""
        offset = parse_storable_timestamp(item.get("ts_offset", "0:0"), "ts_offset")
        if "last_duration" in item and parse_storable_timestamp(item["last_duration"], "last_duration") < 0:
            raise Invalid("last_duration must not be negative", field="last_duration", behaviour="SEG-POST-37")
        used = timerange.shifted(-offset)
        parse_bounded(str(used), "timerange less ts_offset")
        media = self._media_object(item, used)
        init = self._init_object(item, media)
        at = self._free_place(timerange)
        urls = self._new_urls(item)

        assert timerange.start is not None and timerange.end is not None
        self._starts.insert(at, timerange.start)
        self._ends.insert(at, timerange.end)
        for known in (media, init):
            if known is not None and known.is_new:
                self.objects[known.id] = replace(known, is_new=False)
                self.changed[known.id] = known
        self.instances += urls
        for url in urls:
            self.labels.setdefault(media.id, {})[url["label"]] = url["url"]
        self.segments.append(self._segment(item, timerange, media))

    def _media_object(self, item: Mapping[str, Any], used: TimeRange) -> KnownObject:
        object_id = item["object_id"]
        known = self.objects.get(object_id)
        if known is None and not item.get("get_urls"):
            raise Invalid(
                f"object_id {object_id!r} is neither allocated nor known here, and no get_urls say where it is",
                field="object_id",
                behaviour="SEG-POST-08",
            )
        if known is None and not 0 < len(object_id) <= self.env.limits.object_id_max_chars:
            raise Invalid(
                f"object_id must have from 1 to {self.env.limits.object_id_max_chars} characters", field="object_id"
            )
        if known is not None and known.state == "init":
            raise Invalid(
                f"object_id {object_id!r} is an init object, and cannot be media as well",
                field="object_id",
                behaviour="SEG-POST-47",
            )
        if known is not None and known.state == "media":
            return self._reused(item, known, used)
        if known is not None:
            self._check_allocated_here(known, "object_id")
        whole = parse_bounded(item["object_timerange"], "object_timerange") if "object_timerange" in item else used
        _check_inside(used, whole)
        return KnownObject(
            object_id,
            "media",
            self.flow["id"],
            whole,
            item.get("key_frame_count"),
            item.get("init_object_id"),
            is_new=True,
        )

    def _reused(self, item: Mapping[str, Any], known: KnownObject, used: TimeRange) -> KnownObject:
        """An object that has been registered before keeps its properties (SEG-POST-30 to -34)."""
        given: dict[str, Any] = {name: item[name] for name in ("key_frame_count", "init_object_id") if name in item}
        if "object_timerange" in item:
            given["timerange"] = parse_bounded(item["object_timerange"], "object_timerange")
        for name, value in given.items():
            stored = getattr(known, name)
            if value != stored:
                called = "object_timerange" if name == "timerange" else name
                raise Invalid(
                    f"{called} of object {known.id!r} was registered {_as(stored)}, and cannot become {value}",
                    field=called,
                    behaviour="SEG-POST-30",
                )
        assert known.timerange is not None
        _check_inside(used, known.timerange)
        return known

    def _check_allocated_here(self, known: KnownObject, name: str) -> None:
        if known.flow_id != self.flow["id"]:
            raise Invalid(
                f"{name} {known.id!r} was allocated for flow {known.flow_id}, which must be the first to use it",
                field=name,
                behaviour="SEG-POST-06",
            )

    def _init_object(self, item: Mapping[str, Any], media: KnownObject) -> KnownObject | None:
        init_id = media.init_object_id
        if bool(self.flow["init_segments"]) != (init_id is not None):
            raise Invalid(
                "init_object_id is needed: the flow has essence_parameters.init_segments true"
                if init_id is None
                else f"init object {init_id!r} needs a flow with essence_parameters.init_segments true",
                field="init_object_id",
                behaviour="SEG-POST-52" if init_id is None else "SEG-POST-51",
            )
        if init_id is None or not media.is_new:
            return None
        known = self.objects.get(init_id)
        if init_id == media.id or (known is not None and known.state == "media"):
            raise Invalid(
                f"init_object_id {init_id!r} is a media object, and cannot be an init object as well",
                field="init_object_id",
                behaviour="SEG-POST-48",
            )
        if known is None:
            raise Invalid(
                f"init_object_id {init_id!r} is neither allocated nor known here",
                field="init_object_id",
                behaviour="SEG-POST-50",
            )
        if known.state == "init":
            return None
        self._check_allocated_here(known, "init_object_id")
        return KnownObject(init_id, "init", self.flow["id"], is_new=True)

    def _free_place(self, wanted: TimeRange) -> int:
        """Where among the items of this request the range belongs. Raises Invalid where it is taken (A39, A40)."""
        assert wanted.start is not None and wanted.end is not None
        at = bisect_left(self._starts, wanted.start)
        taken = (at > 0 and self._ends[at - 1] > wanted.start) or (
            at < len(self._starts) and self._starts[at] < wanted.end
        )
        if not taken and wanted.start < self.content_end:
            next_ending = self.tx.select(
                "segments",
                [*equals(flow_id=self.flow["id"]), Compare("end_ns", ">", wanted.start)],
                order=("end_ns",),
                limit=1,
                columns=["start_ns"],
            )
            taken = bool(next_ending) and next_ending[0]["start_ns"] < wanted.end
        if taken:
            raise Invalid(
                f"timerange {wanted} overlaps a segment of flow {self.flow['id']}",
                field="timerange",
                behaviour="SEG-POST-22",
            )
        return at

    def _new_urls(self, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The uncontrolled instances that the item adds (SEG-POST-39 to -44, A43)."""
        known = dict(self.labels.get(item["object_id"], {}))
        added: list[dict[str, Any]] = []
        for position, each in enumerate(item.get("get_urls", ())):
            name = f"get_urls.{position}"
            check_uncontrolled(self.env, each["url"], each["label"], name)
            if each["label"] in known:
                if known[each["label"]] == each["url"] and not any(a["label"] == each["label"] for a in added):
                    continue
                raise Invalid(
                    f"{name}.label {each['label']!r} is in use already for this object",
                    field=f"{name}.label",
                    behaviour="SEG-POST-41",
                )
            known[each["label"]] = each["url"]
            added.append(uncontrolled_row(self.env, item["object_id"], each["url"], each["label"]))
        return added

    def _segment(self, item: Mapping[str, Any], timerange: TimeRange, media: KnownObject) -> dict[str, Any]:
        doc = {name: item[name] for name in _OFFSET_KEPT if name in item}
        doc["object_timerange"] = str(media.timerange)
        if media.key_frame_count is not None:
            doc["key_frame_count"] = media.key_frame_count
        return {
            "flow_id": self.flow["id"],
            "start_ns": timerange.start,
            "end_ns": timerange.end,
            "object_id": media.id,
            "init_object_id": media.init_object_id,
            "timerange": str(timerange),
            "created": self.env.clock(),
            "doc": doc,
        }


def _known(row: Row) -> KnownObject:
    return KnownObject(
        row["id"],
        row["state"],
        row["flow_id"],
        parse_timerange(row["timerange"]) if row["timerange"] else None,
        row["key_frame_count"],
        row["init_object_id"],
    )


def _check_inside(used: TimeRange, whole: TimeRange) -> None:
    if not whole.covers(used):
        raise Invalid(
            f"timerange less ts_offset is {used}, which is not inside the object's timerange {whole}",
            field="timerange",
            behaviour="SEG-POST-29",
        )


def _as(stored: Any) -> str:
    return "without one" if stored is None else f"as {stored}"
