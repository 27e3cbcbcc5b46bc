"""A flow for recipes, the notebook and commands: five segments of two seconds, with a thousand bytes each."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tams_server.client import Client, Token, calls

LABEL = "Studio"
BYTES = 1000


@dataclass(frozen=True, slots=True)
class Studio:
    """The flow, and the server that has it."""

    url: str
    token: str
    flow_id: str
    source_id: str


@contextmanager
def studio_of(url: str, token: str, label: str = LABEL) -> Iterator[Studio]:
    """The flow at a server, deleted in the end together with others of its label."""
    with Client(url, Token(token)) as tams:
        made = Studio(url, token, str(uuid.uuid4()), str(uuid.uuid4()))
        tams.send(
            calls.put_flow(
                {
                    "id": made.flow_id,
                    "source_id": made.source_id,
                    "format": "urn:x-nmos:format:video",
                    "label": label,
                    "codec": "video/h264",
                    "container": "video/mp2t",
                    "tags": {"genre": "news"},
                    "essence_parameters": {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}},
                }
            )
        )
        ids = [f"{made.flow_id}/{number}.ts" for number in range(5)]
        for slot in tams.send(calls.allocate(made.flow_id, ids)):
            tams.upload_bytes(slot, slot["object_id"].encode().ljust(BYTES, b"."))
        segments = [
            {"object_id": id_, "timerange": f"[{2 * number}:0_{2 * number + 2}:0)"} for number, id_ in enumerate(ids)
        ]
        assert tams.send(calls.add_segments(made.flow_id, segments)) == []
        try:
            yield made
        finally:
            for flow in list(tams.iterate(calls.flows(**{"tag.genre": "news"}))):
                tams.send(calls.delete_flow(flow["id"]))
