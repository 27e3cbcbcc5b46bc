"""`tams-server replicate`: its options, output and exit status, and the examples of docs/replication.md."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tams_server.cli.main import main
from tams_server.replication.flow_documents import IN_PROGRESS
from tests.conformance.kit.documents import flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.replication.commands import environment, replicate
from tests.replication.pair import Pair, Tams
from tests.servers.child_process import killed_with_parent

PAGE = (Path(__file__).parents[2] / "docs" / "replication.md").read_text()
ID = "4f1c1e1a-6c0f-4ac3-9f0d-9d5e3c9f2b10"
HERE, THERE = "http://here.example", "http://there.example"


def block(kind: str, title: str) -> str:
    [found] = re.findall(rf"<!-- {kind}: {title} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def example(pair: Pair) -> str:
    """The flow of the page at FROM, under an id of its own."""
    document = pair.origin.put_flow(flow(label="camera 1"))
    pair.origin.ingest(document["id"], range(3))
    return str(document["id"])


def adapted(text: str, pair: Pair, flow_id: str) -> str:
    for example_, real in (
        (HERE, pair.origin.url),
        (THERE, pair.target.url),
        ("token-of-here", pair.origin.token),
        ("token-of-there", pair.target.token),
        (ID, flow_id),
        ("tams-server ", f"{sys.executable} -m tams_server "),
    ):
        text = text.replace(example_, real)
    return text


def test_the_example_of_the_page_prints_what_the_page_says(pair: Pair) -> None:
    flow_id = example(pair)
    script = adapted(block("tested", "replicate"), pair, flow_id)
    done = subprocess.run(
        ["bash", "-e", "-c", script], env=environment(pair), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == block("output", "replicate").replace(ID, flow_id)
    pair.assert_same(flow_id)


def test_the_example_of_the_client_library_works(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    exec(adapted(block("tested", "client"), pair, example(pair)), {})
    assert capsys.readouterr().out == "camera 1 [0:0_1:0) 1000\ncamera 1 [1:0_2:0) 1000\n"


def test_a_conflict_has_an_exit_status_and_a_line_of_its_own(pair: Pair) -> None:
    flow_id = example(pair)
    pair.target.put_flow(flow(id=flow_id))
    done = replicate(pair, "--flow", flow_id)
    assert done.returncode == 1
    assert done.stderr.startswith(f"conflict: flow {flow_id}: another flow has this id")
    assert done.stdout.endswith("1 problems\n")


def test_a_run_that_follows_ends_well_when_it_is_told_to(pair: Pair) -> None:
    flow_id = example(pair)
    command = [sys.executable, "-m", "tams_server", "replicate", pair.origin.url, pair.target.url, "--flow", flow_id]
    with subprocess.Popen(
        killed_with_parent([*command, "--follow"]), env=environment(pair), stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: is_complete(pair, flow_id), "the flow", 30)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.splitlines()[-1].startswith("3 segments copied")


def test_a_run_that_is_interrupted_says_so_and_continues_later(pair: Pair) -> None:
    document = pair.origin.put_flow(flow())
    pair.origin.ingest(document["id"], range(4), size=300_000)
    command = [sys.executable, "-m", "tams_server", "replicate", pair.origin.url, pair.target.url]
    options = ["--flow", document["id"], "--parallel", "1", "--rate", "300k"]
    with subprocess.Popen(
        killed_with_parent([*command, *options]), env=environment(pair), stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: copied(pair.target, document["id"]) > 0, "the first segment", 60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.endswith("interrupted: repeat the command to continue\n")
    assert copied(pair.target, document["id"]) < 4
    again = replicate(pair, "--flow", document["id"])
    assert (again.returncode, again.stderr) == (0, "")
    pair.assert_same(document["id"])


def is_complete(pair: Pair, flow_id: str) -> bool:
    """Whether the flow has its segments, and the metadata that it gets once it has all of them."""
    return copied(pair.target, flow_id) == 3 and pair.target.flow(flow_id).get("status") != IN_PROGRESS


def copied(target: Tams, flow_id: str) -> int:
    return len(target.segments(flow_id))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([HERE, THERE], "state what to copy"),
        ([HERE, HERE + "/", "--flow", ID], "FROM and TO are the same server"),
        (["here.example", THERE, "--flow", ID], "FROM must be the URL of a TAMS API"),
        (["http://me:secret@here.example", THERE, "--flow", ID], "set FROM_TAMS_BASIC instead"),
        ([HERE, THERE, "--flow", ID, "--delete"], "--delete needs --follow"),
        ([HERE, THERE, "--flow", ID, "--webhook", "http://me/"], "--webhook needs --follow"),
        ([HERE, THERE, "--flow", ID, "--listen", "[::]:80"], "--listen needs --webhook"),
        ([HERE, THERE, "--flow", ID, "--follow", "--dry-run"], "exclude each other"),
        ([HERE, THERE, "--flow", ID, "--follow", "--webhook", "mailto:me"], "--webhook must be a URL of HTTP"),
    ],
)
def test_wrong_options_are_reported(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replicate", *arguments])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "secret" not in printed


@pytest.mark.parametrize(
    "option", ["--rate=fast", "--rate=0", "--parallel=0", "--verify=0", "--verify=101", "--interval=0", "--interval=x"]
)
def test_wrong_values_are_reported(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replicate", HERE, THERE, "--flow", ID, option])
    assert caught.value.code == 2
    assert f"argument {option.partition('=')[0]}" in capsys.readouterr().err


def test_a_credential_that_is_not_accepted_is_reported(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROM_TAMS_TOKEN", "a-wrong-token")
    assert main(["replicate", pair.origin.url, pair.target.url, "--flow", fresh()]) == 1
    assert f"tams-server: GET {pair.origin.url}/service returned 401" in capsys.readouterr().err
