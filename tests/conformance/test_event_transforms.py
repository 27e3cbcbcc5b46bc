"""Transforms of segment events (TRF-*): one webhook for each choice of options, on the same segments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.conformance.kit.events import FLOW_UPDATED, SEGMENTS_ADDED
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.instances import add_uncontrolled_url, backends, default_backend
from tests.conformance.kit.media import download
from tests.conformance.kit.named_cases import named_cases
from tests.conformance.kit.receiver import Receiver, Reply
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.skips import not_implemented
from tests.conformance.kit.webhooks import Hook, Hooks, wait_for_each

CONTENT = b"content of an object of the kit"
HOME, ELSEWHERE = "home", "elsewhere"
EVERYWHERE = frozenset({HOME, ELSEWHERE})
TERSE = {"url", "presigned", "label"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Options of a webhook. proves: ids of behaviours. options: HOME and ELSEWHERE stand for labels and the id of the
    backend. shown: locations of the URLs that are sent. perhaps: further locations that may be sent, because a backend
    may have URLs of both kinds."""

    proves: str
    options: Mapping[str, Any] = field(default_factory=dict)
    shown: frozenset[str] = EVERYWHERE
    perhaps: frozenset[str] = frozenset()


CHOICES = {
    "nothing chosen": Choice("TRF-04 TRF-05"),
    "no labels": Choice("TRF-01", {"accept_get_urls": []}, frozenset()),
    "one label": Choice("TRF-02", {"accept_get_urls": [ELSEWHERE]}, frozenset({ELSEWHERE})),
    "another label": Choice("TRF-02", {"accept_get_urls": [HOME, "no such label"]}, frozenset({HOME})),
    "both labels": Choice("TRF-02", {"accept_get_urls": [HOME, ELSEWHERE]}),
    "an unknown label": Choice("TRF-02", {"accept_get_urls": ["no such label"]}, frozenset()),
    "a backend": Choice("TRF-03", {"accept_storage_ids": [HOME]}, frozenset({HOME})),
    "a backend, verbose": Choice("TRF-03", {"accept_storage_ids": [HOME], "verbose_storage": True}, frozenset({HOME})),
    "an unknown backend": Choice("TRF-03", {"accept_storage_ids": ["unknown"]}, frozenset()),
    "no backends": Choice("TRF-03", {"accept_storage_ids": []}),
    "presigned": Choice("TRF-04 TRF-10", {"presigned": True}, frozenset({HOME})),
    "not presigned": Choice("TRF-04", {"presigned": False}, frozenset({ELSEWHERE}), frozenset({HOME})),
    "terse": Choice("TRF-05", {"verbose_storage": False}),
    "verbose": Choice("TRF-05", {"verbose_storage": True}),
    "with the timerange of the object": Choice("TRF-06", {"include_object_timerange": True}),
    "without the timerange of the object": Choice("TRF-06", {"include_object_timerange": False}),
    "a label of another backend": Choice(
        "TRF-07", {"accept_get_urls": [ELSEWHERE], "accept_storage_ids": [HOME]}, frozenset()
    ),
    "presigned with a label that is not": Choice(
        "TRF-07", {"accept_get_urls": [ELSEWHERE], "presigned": True}, frozenset()
    ),
    "a label that is not presigned": Choice(
        "TRF-07", {"accept_get_urls": [ELSEWHERE], "presigned": False}, frozenset({ELSEWHERE})
    ),
    "all that fits": Choice(
        "TRF-07",
        {"accept_get_urls": [HOME], "accept_storage_ids": [HOME], "presigned": True, "verbose_storage": True},
        frozenset({HOME}),
    ),
}


class Scene:
    """Two segments registered in one request, followed by a change of their flow. Each object, and their init object if
    supported, is on the default backend and at an external URL."""

    def __init__(self, tams: TamsClient, hooks: Hooks, with_init: bool) -> None:
        self._backend = default_backend(tams)
        first, self.flow = (tams.make_flow(init_flow() if with_init else flow()) for _ in range(2))
        init_id, *object_ids = tams.make_objects(first["id"], 3, CONTENT)
        init = {"init_object_id": init_id} if with_init else {}
        timeranges = [f"[{number}:0_{number + 1}:0)" for number in range(2)]
        bulk = [
            {"object_id": object_id, "timerange": each, "object_timerange": each, **init}
            for object_id, each in zip(object_ids, timeranges, strict=True)
        ]
        self._register(tams, first["id"], bulk)
        shared = (*init.values(), *object_ids)
        outside = {object_id: add_uncontrolled_url(tams, object_id)["label"] for object_id in shared}
        self._places = {**dict.fromkeys(outside.values(), ELSEWHERE), self._backend.get("label"): HOME}
        home = [self._backend["label"]] if "label" in self._backend else []
        self._labels = {HOME: home, ELSEWHERE: list(outside.values())}
        types, source_ids = [SEGMENTS_ADDED, FLOW_UPDATED], [self.flow["source_id"]]
        self._hooks = {
            name: hooks.make_if_supported(types, source_ids=source_ids, **self._options(each))
            for name, each in CHOICES.items()
        }
        self._register(tams, self.flow["id"], bulk)
        assert tams.put(f"/flows/{self.flow['id']}/label", "changed").status_code == 204
        wait_for_each(
            (hook, partial(hook.has_received, 1, FLOW_UPDATED)) for hook in self._hooks.values() if hook is not None
        )

    @staticmethod
    def _register(tams: TamsClient, flow_id: str, bulk: list[Json]) -> None:
        response = tams.post(f"/flows/{flow_id}/segments", bulk)
        assert response.status_code == 201, response.text

    def _options(self, choice: Choice) -> Json:
        options = dict(choice.options)
        if "accept_get_urls" in options:
            options["accept_get_urls"] = [
                label for name in options["accept_get_urls"] for label in self._labels.get(name, [name])
            ]
        if "accept_storage_ids" in options:
            options["accept_storage_ids"] = [
                self._backend["id"] if name == HOME else fresh() for name in options["accept_storage_ids"]
            ]
        return options

    def hook(self, name: str) -> Hook:
        hook = self._hooks[name]
        if hook is None:
            not_implemented(f"webhooks with {dict(CHOICES[name].options)}")
        return hook

    def segments(self, name: str) -> list[Json]:
        """The segments that this webhook sent."""
        hook = self.hook(name)
        events = hook.events(SEGMENTS_ADDED, about=self.flow["id"])
        segments = {each["object_id"]: each for event in events for each in event.body["segments"]}
        assert len(segments) == 2, hook.summary()
        return list(segments.values())

    def urls(self, name: str) -> list[Json]:
        """The URLs of these segments."""
        return [url for segment in self.segments(name) for url in segment.get("get_urls", [])]

    def assert_shown(self, name: str, urls: list[Json]) -> None:
        """Check that the URLs are those that this webhook selects. URLs without a label match no filter on labels."""
        nameless = "accept_get_urls" in CHOICES[name].options and not self._labels[HOME]
        expected = CHOICES[name].shown - ({HOME} if nameless else set())
        assert expected <= self.places(urls) <= expected | CHOICES[name].perhaps

    def places(self, urls: list[Json]) -> set[str]:
        return {self._places.get(url.get("label"), "nowhere") for url in urls}


@pytest.fixture(scope="module")
def scene(
    http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    with shared_client(http) as tams:
        with_init = request.config.getoption("--api-version") >= "8.2"
        yield Scene(tams, Hooks(tams, receiver, event_timeout), with_init)


@named_cases({name: each.proves for name, each in CHOICES.items()})
def test_an_event_contains_exactly_the_urls_that_the_webhook_selects(scene: Scene, name: str) -> None:
    for segment in scene.segments(name):
        scene.assert_shown(name, segment.get("get_urls", []))


@named_cases(dict.fromkeys(CHOICES, "TRF-08"))
def test_init_object_urls_are_selected_in_the_same_way(scene: Scene, name: str) -> None:
    for segment in scene.segments(name):
        scene.assert_shown(name, segment["init_object"].get("get_urls", []))


@named_cases(dict.fromkeys(["presigned", "not presigned", "nothing chosen"], "TRF-04"))
def test_urls_state_whether_they_are_presigned(scene: Scene, name: str) -> None:
    shown = {url.get("presigned", False) for url in scene.urls(name)}
    requested = CHOICES[name].options.get("presigned")
    assert shown == ({True, False} if requested is None else {requested})


@named_cases(dict.fromkeys(["nothing chosen", "terse"], "TRF-05"))
def test_urls_are_terse_by_default(scene: Scene, name: str) -> None:
    urls = scene.urls(name)
    assert urls
    assert all("url" in each and set(each) <= TERSE for each in urls)


@pytest.mark.behaviour("TRF-05")
def test_verbose_urls_describe_their_backend(tams: TamsClient, scene: Scene) -> None:
    known = {each["id"]: each for each in backends(tams)}
    own = [url for url in scene.urls("verbose") if scene.places([url]) == {HOME}]
    assert own
    for each in own:
        backend = known[each["storage_id"]]
        for name in ("store_type", "provider", "store_product", "region", "availability_zone"):
            assert each.get(name) == backend.get(name), name
        assert each.get("controlled", True) is True
    others = [url for url in scene.urls("verbose") if scene.places([url]) == {ELSEWHERE}]
    assert [each["controlled"] for each in others] == [False] * len(others)


@named_cases(
    dict.fromkeys(
        ["nothing chosen", "with the timerange of the object", "without the timerange of the object"], "TRF-06"
    )
)
def test_the_object_timerange_is_sent_when_requested(scene: Scene, name: str) -> None:
    requested = CHOICES[name].options.get("include_object_timerange", False)
    assert ["object_timerange" in each for each in scene.segments(name)] == [requested, requested]


@named_cases(dict.fromkeys(CHOICES, "TRF-11"))
def test_transforms_of_segments_do_not_affect_flow_events(scene: Scene, name: str) -> None:
    documents = []
    for each in ("nothing chosen", name):
        hook = scene.hook(each)
        documents.append([event.document for event in hook.events(FLOW_UPDATED, about=scene.flow["id"])][:1])
    assert documents[0]
    assert documents[0] == documents[1]


@pytest.mark.behaviour("TRF-09")
def test_a_presigned_url_works_after_a_retried_delivery(tams: TamsClient, hooks: Hooks) -> None:
    made = tams.make_flow()
    hook = hooks.make(SEGMENTS_ADDED, source_ids=[made["source_id"]])
    hook.inbox.reply(Reply(503))
    register_segment(tams, made["id"], object_id=tams.make_objects(made["id"], 1, CONTENT)[0])
    assert hook.receives(2, SEGMENTS_ADDED, about=made["id"]), hook.summary()
    (segment,) = hook.events(SEGMENTS_ADDED, about=made["id"])[-1].body["segments"]
    assert segment["get_urls"]
    for url in segment["get_urls"]:
        response = download(tams, url)
        assert (response.status_code, response.content) == (200, CONTENT)
