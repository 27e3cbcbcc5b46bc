"""Help that teaches, and completion in shells."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tams_server.client_cli.command_line import COMMANDS, build_parser
from tams_server.client_cli.completion_command import nodes
from tests.client_cli.conftest import Commands

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from parsers(child)


ALL = {parser.prog: parser for parser in parsers(build_parser())}


@pytest.mark.parametrize("name", ALL)
def test_every_command_explains_itself(name: str) -> None:
    text = ALL[name].format_help()
    assert "Exit status:" in text
    if name not in ("tams context list", "tams context use", "tams context remove"):
        assert re.search(r"^ +(tams .*|bash +eval.*)$", ALL[name].description or "", re.MULTILINE), "an example"
    assert all(len(line) <= 100 for line in (ALL[name].description or "").splitlines())
    for action in ALL[name]._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), f"{action.option_strings} has no help"


def test_examples_in_help_can_be_parsed() -> None:
    for parser in ALL.values():
        for line in re.findall(r"^  (tams .+?)(?:  .*| &&.*|<.*|\|.*)?$", parser.description or "", re.MULTILINE):
            words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]
            if "--help" not in words:
                build_parser().parse_args(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_every_command(name: str) -> None:
    assert f"`tams {name}" in PAGE


def test_wrong_use_says_so(bare: Commands) -> None:
    for arguments in ((), ("nothing",), ("ls",), ("ls", "flows", "--colour", "x"), ("show",)):
        done = bare(*arguments)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("usage: tams")


def test_options_of_all_commands_may_stand_before_and_after(bare: Commands) -> None:
    before, after = bare("-o", "json", "context", "list"), bare("context", "list", "-o", "json")
    assert before.out == after.out == "[]\n"


BASH = """
source /dev/stdin
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _tams; echo "${COMPREPLY[*]}"; }
try tams ls ""; try tams ls flows --form; try tams ls segments -o y; try tams completion ""; try tams tag s
"""


def test_bash_completes_commands_options_and_values(bare: Commands) -> None:
    script = bare("completion", "bash").out
    done = subprocess.run(["bash", "-c", BASH], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "sources flows segments objects webhooks deletions", "--format", "yaml", "bash zsh fish", "set",
    ]  # fmt: skip


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_scripts(bare: Commands, shell: str, tmp_path: Path) -> None:
    script = bare("completion", shell).out
    for node in nodes(build_parser(), ""):
        assert all(name.lstrip("-") in script for name in node.words)
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}: install it, then pytest tests/client_cli/test_help.py")
    file = tmp_path / f"tams.{shell}"
    file.write_text(script)
    subprocess.run([shell, "-n", str(file)], check=True)
