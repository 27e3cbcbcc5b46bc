"""The reading half of the client against the Prism mock of the published document, which answers with its examples.

Prism needs Node.js. `make bench` installs it; these tests do not, as that takes longer than all of them.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.timerange import parse_timerange
from tams_server.client import Call, Client, Token, calls
from tams_server.specification.document import load_document
from tests.benchmarks.baselines.prism import _PACKAGE, prism
from tests.client.mock_servers import QUICK

API = Path(__file__).parents[2] / "api"
TOOLS = Path.home() / ".cache" / "tams-benchmarks"
ID = "4f1c1e1a-6c0f-4ac3-9f0d-9d5e3c9f2b10"


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of Prism."""
    if shutil.which("node") is None or not (TOOLS / "node_modules" / _PACKAGE).is_dir():
        pytest.skip(f"no Prism: it needs Node.js, and `npm install --prefix {TOOLS} {_PACKAGE}`")
    document = json.dumps(load_document(API))  # which is YAML as well, and written in a hundredth of the time
    with (
        prism(document, TOOLS, tmp_path_factory.mktemp("prism"), print) as served,
        Client(f"http://127.0.0.1:{served.port}", Token("any"), retry=QUICK) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("call", "member"),
    [
        (calls.service(), "api_version"),
        (calls.flow(ID), "source_id"),
        (calls.source(ID), "format"),
        (calls.media_object("an object"), "referenced_by_flows"),
        (calls.profile(ID), "flow_metadata"),
    ],
    ids=["service", "flow", "source", "object", "profile"],
)
def test_documents_are_read(mock: Client, call: Call[Any], member: str) -> None:
    assert member in mock.send(call)


def test_listings_are_read(mock: Client) -> None:
    first = next(iter(mock.iterate(calls.segments(ID))))
    assert not parse_timerange(first["timerange"]).is_empty
    assert first["object_id"]
    assert next(iter(mock.iterate(calls.flows())))["source_id"]
    assert next(iter(mock.iterate(calls.storage_backends())))["store_type"] == "http_object_store"
    assert next(iter(mock.iterate(calls.webhooks())))["events"]
