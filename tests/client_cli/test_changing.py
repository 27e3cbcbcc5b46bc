"""F21: `tams rm`, `tams cp` and `tams watch`."""

import io
import json
import signal
import uuid
from collections.abc import Callable

import pytest

from tams_server.client import Client, NotFound, Token, calls
from tests.client.studio import Studio
from tests.client_cli.conftest import Commands
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject

Add = Callable[[str, str, str], None]


class Terminal(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def has(studio: Studio, flow_id: str) -> bool:
    with Client(studio.url, Token(studio.token)) as client:
        return any(flow["id"] == flow_id for flow in client.iterate(calls.flows(source_id=studio.source_id)))


def test_a_deletion_is_shown_confirmed_and_followed(
    tams: Commands, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    refused = tams("rm", studio.source_id)
    assert (refused.status, has(studio, studio.flow_id)) == (1, True)
    assert f"  flow {studio.flow_id}" in refused.err
    assert "5 segments" in refused.err
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert tams("rm", studio.source_id).status == 0
    assert not has(studio, studio.flow_id), "the command ends when the server has deleted all in the background"


def test_only_segments_in_a_timerange_are_deleted(tams: Commands, studio: Studio) -> None:
    assert tams("rm", studio.flow_id, "--timerange", "[0:0_7:0)", "--yes").status == 0
    left = tams("ls", "segments", studio.flow_id, "-o", "id").lines
    assert left == [f"{studio.flow_id}/{number}.ts" for number in (3, 4)]


def collection(client: Client, members: list[str]) -> str:
    """Create a flow that collects others, and return its id."""
    flow_id = str(uuid.uuid4())
    multi = {"id": flow_id, "source_id": str(uuid.uuid4()), "format": "urn:x-nmos:format:multi"}
    collected = [{"id": each, "role": f"part {number}"} for number, each in enumerate(members)]
    client.send(calls.put_flow({**multi, "flow_collection": collected, "tags": {"genre": "news"}}))
    return flow_id


def another(client: Client) -> str:
    """Create a flow without segments of a source of its own, and return its id."""
    flow_id = str(uuid.uuid4())
    essence = {"frame_width": 8, "frame_height": 8, "frame_rate": {"numerator": 25}}
    video = {"format": "urn:x-nmos:format:video", "codec": "video/h264", "essence_parameters": essence}
    client.send(calls.put_flow({"id": flow_id, "source_id": str(uuid.uuid4()), **video, "tags": {"genre": "news"}}))
    return flow_id


def test_members_are_deleted_on_request_unless_others_collect_them(tams: Commands, studio: Studio) -> None:
    with Client(studio.url, Token(studio.token)) as client:
        shared, alone = another(client), another(client)
        inner = collection(client, [studio.flow_id, alone])
        outer, other = collection(client, [inner, shared]), collection(client, [shared])

        def there() -> set[str]:
            every = {studio.flow_id, shared, alone, inner, outer, other}
            return every & {each["id"] for each in client.iterate(calls.flows())}

        first = tams("rm", outer, "--yes")
        assert f"collects flow {inner}, which stays: --members deletes it too" in first.err
        assert there() == {studio.flow_id, shared, alone, inner, other}
        outer = collection(client, [inner, shared])
        client.send(calls.put_read_only(alone, True))
        refused = tams("rm", outer, "--members", "--yes")
        assert (refused.status, f"flow {alone} is read-only" in refused.err) == (1, True)
        assert len(there()) == 6
        client.send(calls.put_read_only(alone, False))
        done = tams("rm", outer, "--members", "--yes")
        assert done.status == 0
        assert f"collects flow {shared}, which stays, as flow {other} collects it too" in done.err
        assert "5 segments" in next(line for line in done.err.splitlines() if f"  flow {studio.flow_id}" in line)
        assert f"source {studio.source_id} goes with its last flow" in done.err
        deleted = [line for line in done.err.splitlines() if line.startswith("deleted flow")]
        assert deleted[-1] == f"deleted flow {outer}", "an interrupted deletion can be repeated"
        assert there() == {shared, other}


def test_what_cannot_be_deleted_is_explained(tams: Commands, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    unasked = tams("rm", studio.flow_id)
    assert (unasked.status, "add --yes" in unasked.err) == (2, True)
    an_object = tams("rm", f"{studio.flow_id}/0.ts", "--yes")
    assert (an_object.status, "no segment uses it" in an_object.err) == (2, True)
    assert tams("rm", "00000000-0000-4000-8000-000000000000", "--yes").status == 3
    with Client(studio.url, Token(studio.token)) as client:
        client.send(calls.put_read_only(studio.flow_id, True))
        assert "read-only" in tams("rm", studio.flow_id, "--yes").err
        client.send(calls.put_read_only(studio.flow_id, False))
    assert has(studio, studio.flow_id)


def test_a_copy_is_complete_and_can_be_repeated(
    tams: Commands, studio: Studio, other_server: Subject, add_context: Add
) -> None:
    add_context("there", other_server.url, other_server.token)
    what = ("cp", studio.flow_id, "--from", "here", "--to", "there")
    planned = tams(*what, "--dry-run")
    assert (planned.status, "would copy 5 segments" in planned.err) == (0, True)
    part = tams(*what, "--timerange", "[0:0_4:0)")
    assert (part.status, "2 segments copied" in part.err) == (0, True), part.err
    whole = tams(*what, "--verify")
    assert (whole.status, "3 segments copied, 2 were there" in whole.err) == (0, True), whole.err
    ids = ("ls", "segments", studio.flow_id, "-o", "id", "--context")
    assert tams(*ids, "there").lines == tams(*ids, "here").lines
    assert tams("cp", studio.flow_id, "--from", "here", "--to", "here").status == 2
    assert tams("-q", *what).err == ""


def test_a_copy_follows_until_it_is_interrupted(
    tams: Commands, studio: Studio, other_server: Subject, add_context: Add
) -> None:
    add_context("there", other_server.url, other_server.token)
    what = ("cp", studio.flow_id, "--from", "here", "--to", "there", "--follow")
    assert tams(*what, "--dry-run").status == 2
    assert tams(*what, "--rate", "fast").status == 2
    segment = {"object_id": f"{studio.flow_id}/0.ts", "timerange": "[20:0_22:0)", "ts_offset": "20:0"}
    with (
        tams.started(*what, "--rate", "20M") as process,
        Client(studio.url, Token(studio.token)) as client,
        Client(other_server.url, Token(other_server.token)) as target,
    ):

        def copied() -> int:
            try:
                return sum(1 for _ in target.iterate(calls.segments(studio.flow_id, with_urls=False)))
            except NotFound:
                return 0

        wait_until(lambda: copied() == 5, "the first copy", timeout_s=30)
        client.send(calls.add_segments(studio.flow_id, [segment]))
        wait_until(lambda: copied() == 6, "the copy of what was added", timeout_s=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("how", "note"), [((), "receiving events of"), (("--poll", "--interval", "1"), "polling")], ids=["webhook", "poll"]
)
def test_events_are_printed_as_they_happen(tams: Commands, studio: Studio, how: tuple[str, ...], note: str) -> None:
    watch = ("watch", "--flow", studio.flow_id, "-o", "json", "--count", "2", *how)
    with tams.started(*watch) as process, Client(studio.url, Token(studio.token)) as client:
        assert process.stderr is not None
        assert process.stdout is not None
        assert note in process.stderr.readline()
        client.send(calls.put_flow_tag(studio.flow_id, "take", "7"))
        first = json.loads(process.stdout.readline())
        assert (first["event_type"], first["event"]["flow"]["tags"]["take"]) == ("flows/updated", "7")
        segment = {"object_id": f"{studio.flow_id}/0.ts", "timerange": "[20:0_22:0)", "ts_offset": "20:0"}
        client.send(calls.add_segments(studio.flow_id, [segment]))
        second = json.loads(process.stdout.readline())
        assert second["event_type"] == "flows/segments_added"
        assert [each["timerange"] for each in second["event"]["segments"]] == ["[20:0_22:0)"]
        assert process.wait(30) == 0
        assert [each for each in client.iterate(calls.webhooks()) if "tams_watch" in each.get("tags", {})] == []


def test_an_interrupted_watch_removes_its_webhook(tams: Commands, studio: Studio) -> None:
    with tams.started("watch") as process, Client(studio.url, Token(studio.token)) as client:
        assert process.stderr is not None
        assert "receiving events of" in process.stderr.readline()
        assert [each["status"] for each in client.iterate(calls.webhooks()) if "tams_watch" in each.get("tags", {})]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
        assert [each for each in client.iterate(calls.webhooks()) if "tams_watch" in each.get("tags", {})] == []


def test_segments_that_are_only_partly_in_the_timerange_are_not_counted(tams: Commands, studio: Studio) -> None:
    asked = tams("rm", studio.flow_id, "--timerange", "[1:0_7:0)")
    assert "  2 segments; not those that are only partly in it: 2\n" in asked.err
    assert tams("rm", studio.flow_id, "--timerange", "[1:0_7:0)", "--yes").status == 0
    assert tams("ls", "segments", studio.flow_id, "-o", "id").lines == [f"{studio.flow_id}/{n}.ts" for n in (0, 3, 4)]


def test_an_empty_timerange_is_wrong_use(tams: Commands, studio: Studio) -> None:
    for what in (
        ("rm", studio.flow_id, "--yes", "--timerange", "[3:0_1:0)"),
        ("tag", "set", studio.flow_id, "--segments", "()", "a=b"),
        ("cp", studio.flow_id, "--to", "here", "--timerange", "[3:0_1:0)"),
        ("play", studio.flow_id, "--timerange", "[3:0_1:0)"),
    ):
        done = tams(*what)
        assert (done.status, "must hold some time" in done.err) == (2, True), done.err


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_no_name_of_a_tag_reaches_another_resource(name: str, tams: Commands, studio: Studio) -> None:
    removed = tams("tag", "remove", studio.flow_id, name)
    assert (removed.status, removed.err) == (1, f"tams: {name!r} can be no id and no name in a URL\n")
    assert tams("show", studio.flow_id).status == 0
    if name:
        assert tams("tag", "set", studio.flow_id, f"{name}=x").status == 1
    assert tams("show", name).status == 3
