"""A server with some hundred flows, and collections of several levels."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.api.in_process import Running, serving
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, flow
from tests.conformance.kit.ids import fresh

FLOWS = 330
"""More than fit into the first page of a listing, and less than two further ones."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """running: the server. programme: the source of a multi flow that collects `camera` and `sound`, flows."""

    running: Running
    programme: str
    camera: str
    sound: str


@contextmanager
def catalogue_site(folder: Path) -> Iterator[Catalogue]:
    """Serve FLOWS flows called "Flow 0000" and so on, and then a programme, until the block ends."""
    with serving(folder, page_limit_max=1000) as running:
        yield _fill(running)


def _fill(running: Running) -> Catalogue:
    flows = [flow(label=f"Flow {number:04}", tags={"shelf": str(number % 10)}) for number in range(FLOWS)]
    flows[3] |= {"tags": {"shelf": "3", "rare": "yes"}}
    running.client.post("/flows", json=flows).raise_for_status()
    camera = flow(VIDEO, label="Camera 1", tags={"people": ["ann", "bob"]})
    sound = flow(AUDIO, label="Sound of camera 1")
    members = [{"id": camera["id"], "role": "picture"}, {"id": sound["id"], "role": "sound"}]
    programme = flow(MULTI, label="Programme", source_id=fresh(), flow_collection=members)
    for document in (camera, sound, programme):
        running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    return Catalogue(running, programme["source_id"], camera["id"], sound["id"])
