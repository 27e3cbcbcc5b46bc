"""Events that are split by the size of their body."""

from typing import Any

import orjson
import pytest

from tams_server.processes.event_parts import first_part


def message(*sizes: int) -> dict[str, Any]:
    """An event with segments whose object ids have these lengths."""
    segments = [{"object_id": f"{number:02}" + "x" * (size - 2)} for number, size in enumerate(sizes)]
    return {"event_type": "flows/segments_added", "event": {"flow_id": "a", "segments": segments}}


def parts(whole: dict[str, Any], max_bytes: int) -> list[bytes]:
    """The bodies of all parts of an event."""
    bodies = []
    rest = whole["event"]["segments"]
    while True:
        part = first_part({**whole, "event": {**whole["event"], "segments": rest}}, max_bytes)
        bodies.append(part.body)
        assert part.segments == len(orjson.loads(part.body)["event"]["segments"]) > 0
        rest = rest[part.segments :]
        assert part.is_rest == (not rest)
        if part.is_rest:
            return bodies


def segments_of(bodies: list[bytes]) -> list[Any]:
    return [segment for body in bodies for segment in orjson.loads(body)["event"]["segments"]]


@pytest.mark.behaviour("DLV-01", "EVT-SA-01")
@pytest.mark.parametrize("max_bytes", [200, 333, 1000, 2048])
def test_parts_fit_and_contain_every_segment_once_in_order(max_bytes: int) -> None:
    whole = message(*(range(10, 60)))
    bodies = parts(whole, max_bytes)
    assert segments_of(bodies) == whole["event"]["segments"]
    assert max(map(len, bodies)) <= max_bytes
    assert all(orjson.loads(body)["event_type"] == whole["event_type"] for body in bodies)


def test_an_event_of_exactly_the_maximum_is_sent_whole() -> None:
    whole = message(50, 50, 50)
    size = len(orjson.dumps(whole))
    assert len(parts(whole, size)) == 1
    assert len(parts(whole, size - 1)) == 2


def test_parts_are_as_long_as_they_can_be() -> None:
    whole = message(*[50] * 10)
    body = parts(whole, len(orjson.dumps(message(*[50] * 4))))[0]
    assert len(orjson.loads(body)["event"]["segments"]) == 4


def test_a_segment_above_the_maximum_is_sent_alone() -> None:
    whole = message(20, 500, 20)
    bodies = parts(whole, 150)
    assert [len(segments_of([body])) for body in bodies] == [1, 1, 1]


def test_an_event_without_segments_is_sent_whole() -> None:
    part = first_part({"event_type": "flows/deleted", "event": {"flow_id": "x" * 500}}, 100)
    assert (part.is_rest, part.segments) == (True, 0)
    assert len(part.body) > 500


def test_text_with_nul_is_sent_as_the_client_sent_it() -> None:
    part = first_part({"event": {"flow": {"label": "a\ufdd00b"}}}, 100)
    assert orjson.loads(part.body)["event"]["flow"]["label"] == "a\0b"
