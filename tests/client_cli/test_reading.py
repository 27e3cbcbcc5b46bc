"""F21: `tams ls`, `tams show`, `tams tag` and `tams version`."""

import json
import re
import uuid

import pytest
import yaml

from tams_server.client import Client, Token, calls
from tests.client.studio import Studio
from tests.client_cli.conftest import Commands
from tests.conformance.kit.documents import MULTI


def test_flows_are_listed_in_every_format(tams: Commands, studio: Studio) -> None:
    label = json.loads(tams("show", studio.flow_id, "-o", "json").out)["label"]
    what = ("ls", "flows", "--label", label)
    table = tams(*what).lines
    assert table[0].split() == ["ID", "FORMAT", "CODEC", "ESSENCE", "LABEL"]
    assert re.split(" {2,}", table[1])[:4] == [studio.flow_id, "video", "video/h264", "1920x1080 25/s"]
    assert [flow["id"] for flow in json.loads(tams(*what, "-o", "json").out)] == [studio.flow_id]
    assert [flow["label"] for flow in yaml.safe_load(tams("-o", "yaml", *what).out)] == [label]
    assert tams(*what, "-o", "id").lines == [studio.flow_id]
    nothing = [tams("ls", "flows", "--label", "nothing has this", "-o", each).out for each in ("json", "yaml", "id")]
    assert nothing == ["[]\n", "[]\n", ""]
    assert tams("ls", "flows", "--label", "nothing has this").err == "nothing found\n"


def test_listings_go_over_all_pages_up_to_a_limit(tams: Commands, studio: Studio) -> None:
    what = ("ls", "segments", studio.flow_id, "--where", "limit=2", "-o", "id")
    assert tams(*what).lines == [f"{studio.flow_id}/{number}.ts" for number in range(5)]
    assert tams(*what, "--limit", "3").lines == [f"{studio.flow_id}/{number}.ts" for number in range(3)]
    assert len(json.loads(tams("ls", "segments", studio.flow_id, "--where", "limit=2", "-o", "json").out)) == 5


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--format", "video", "--tag", "genre=news", "--tag", "genre=sport"), True),
        (("--tag", "genre=sport"), False),
        (("--has-tag", "genre", "--no-tag", "archived"), True),
        (("--no-tag", "genre"), False),
        (("--codec", "video/h264", "--where", "frame_width=1920", "--timerange", "[9:0_20:0)"), True),
        (("--timerange", "[10:0_20:0)"), False),
    ],
)
def test_filters_are_those_of_the_api(tams: Commands, studio: Studio, filters: tuple[str, ...], found: bool) -> None:
    ids = tams("ls", "flows", "--source", studio.source_id, *filters, "-o", "id").lines
    assert ids == ([studio.flow_id] if found else [])


def test_segments_of_a_flow_that_only_collects_are_looked_for_in_its_members(tams: Commands, studio: Studio) -> None:
    multi = str(uuid.uuid4())
    members = {"flow_collection": [{"id": studio.flow_id}], "tags": {"genre": "news"}}
    with Client(studio.url, Token(studio.token)) as client:
        client.send(calls.put_flow({"id": multi, "source_id": str(uuid.uuid4()), "format": MULTI, **members}))
    for what in ("segments", "objects"):
        assert tams("ls", what, multi).err == f"nothing found in flow {multi}, which collects {studio.flow_id}\n"


def test_segments_and_objects_are_listed(tams: Commands, studio: Studio) -> None:
    timerange = ("--timerange", "[1:0_3:0)")
    assert [line.split()[:2] for line in tams("ls", "segments", studio.flow_id, *timerange).lines[1:]] == [
        ["[0:0_2:0)", "2"],
        ["[2:0_4:0)", "2"],
    ]
    [segment] = json.loads(
        tams("ls", "segments", studio.flow_id, "--urls", "--reverse", "--limit", "1", "-o", "json").out
    )
    assert (segment["timerange"], bool(segment["get_urls"])) == ("[8:0_10:0)", True)
    assert tams("ls", "objects", studio.flow_id, *timerange, "-o", "id").lines == [
        f"{studio.flow_id}/{number}.ts" for number in range(2)
    ]
    assert tams("ls", "deletions").status == tams("ls", "webhooks").status == 0


def test_columns_are_members_by_their_paths(tams: Commands, studio: Studio) -> None:
    columns = "id,tags.genre,essence_parameters.frame_rate.numerator"
    table = tams("ls", "flows", "--source", studio.source_id, "--columns", columns).lines
    assert [line.split() for line in table[1:]] == [[studio.flow_id, "news", "25"]]
    assert tams("ls", "flows", "--columns", "a b").status == 2


def test_an_id_is_shown_as_what_it_is(tams: Commands, studio: Studio) -> None:
    for id_, kind in (
        (studio.flow_id, "flow"),
        (studio.source_id, "source"),
        (f"{studio.flow_id}/0.ts", "object"),
    ):
        shown = tams("show", id_)
        assert shown.status == 0
        assert shown.err.startswith(f"{kind} {id_}")
        assert shown.out.startswith("id ") or "\nid " in shown.out
    assert "timerange" in tams("show", studio.flow_id).out
    missing = tams("show", studio.flow_id, "--as", "source")
    assert (missing.status, missing.out) == (3, "")
    assert f"no source has the id {studio.flow_id}" in missing.err


def test_tags_are_set_listed_and_removed(tams: Commands, studio: Studio) -> None:
    for id_ in (studio.flow_id, studio.source_id):
        assert tams("tag", "set", id_, "people=Ann", "people=Bob", "take=3").status == 0
        assert tams("tag", "set", id_, "one=alone", "--list").status == 0
        tags = json.loads(tams("tag", "list", id_, "-o", "json").out)
        assert tags == {"genre": "news", "people": ["Ann", "Bob"], "take": "3", "one": ["alone"]}
        assert tams("tag", "remove", id_, "people", "take", "one", "never-there").status == 0
        assert json.loads(tams("tag", "list", id_, "-o", "json").out) == {"genre": "news"}
    assert tams("tag", "set", studio.flow_id, "no-value").status == 2


def test_the_action_of_tag_may_be_left_out(tams: Commands, studio: Studio) -> None:
    assert tams("tag", studio.flow_id, "take=3").status == 0
    assert json.loads(tams("-o", "json", "tag", studio.flow_id).out) == {"genre": "news", "take": "3"}
    what = (studio.flow_id, "--segments", "[0:0_4:0)")
    assert "2 segments" in tams("tag", *what, "shot=wide").err
    assert len(json.loads(tams("tag", *what, "-o", "json").out)) == 2
    assert tams("tag", "unknown", "take=3").status == 2


def test_segments_have_tags_too(tams: Commands, studio: Studio) -> None:
    what = (studio.flow_id, "--segments", "[1:0_3:0)")
    assert tams("tag", "set", *what, "shot=wide").err == f"2 segments of flow {studio.flow_id} changed\n"
    found = json.loads(tams("tag", "list", studio.flow_id, "--segments", "_", "-o", "json").out)
    assert [each["tags"] for each in found] == [{"shot": "wide"}, {"shot": "wide"}, {}, {}, {}]
    assert len(tams("ls", "segments", studio.flow_id, "--tag", "shot=wide").lines) == 3
    assert tams("tag", "remove", studio.flow_id, "shot", "--segments", "_").status == 0
    assert len(tams("ls", "segments", studio.flow_id, "--tag", "shot=wide").lines) == 0
    assert tams("tag", "set", *what[:2], "[90:0_91:0)", "a=b").status == 1, "no segment is there"


def test_a_flow_that_does_not_exist_has_the_status_of_it(tams: Commands, studio: Studio) -> None:
    missing = "0a1b2c3d-0000-4000-8000-00000000000f"
    segments = (missing, "--segments", "_")
    for what in (
        ("tag", "set", *segments, "a=b"),
        ("tag", "remove", *segments[:1], "a", *segments[1:]),
        ("tag", "list", *segments),
        ("ls", "segments", missing, "-o", "json"),
        ("ls", "objects", missing, "-o", "id"),
        ("show", missing),
        ("rm", missing, "--yes"),
        ("play", missing),
        ("export", missing, "out.mp4"),
        ("tag", "set", studio.source_id, "--segments", "_", "a=b"),
    ):
        done = tams(*what)
        assert (done.status, done.err.count("\n")) == (3, 1), what
        assert "has the id" in done.err


def test_versions_are_printed(bare: Commands, tams: Commands) -> None:
    versions = json.loads(tams("version", "-o", "json").out)
    assert (versions["api"], versions["tams"]) == ("8.2", versions["service"])


def test_errors_are_one_line_with_what_to_do(tams: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_TOKEN", "wrong")
    refused = tams("ls", "flows")
    assert (refused.status, refused.out, refused.err.count("\n")) == (4, "", 1)
    assert "returned 401" in refused.err
    assert "tams context list" in refused.err
    monkeypatch.setenv("TAMS_URL", "http://127.0.0.1:9")
    wrong = tams("ls", "flows", "--timerange", "soon")
    assert (wrong.status, wrong.err.count("\n")) == (2, 1)
