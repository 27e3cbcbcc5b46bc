"""tams completion: scripts that complete commands and options in a shell, made from the parser."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field

from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import OK
from tams_server.client_cli.parsers import Subparsers, add_command

COMPLETION = """
Print a script that completes commands, options and their values in a shell.

  bash   eval "$(tams completion bash)"                             in ~/.bashrc
  zsh    eval "$(tams completion zsh)"                              in ~/.zshrc, after compinit
  fish   tams completion fish > ~/.config/fish/completions/tams.fish
"""
CONTEXTS = "tams -q -o id context list 2>/dev/null"
"""The command that lists the values of --context."""


@dataclass(slots=True)
class Node:
    """A command. path: its words after `tams`. words: subcommands and options, with their help.

    values: of options and of the first argument (""), which have a choice. arguments: names of options with a value.
    """

    path: str
    words: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    subcommands: list[str] = field(default_factory=list)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "completion", run, "complete commands in a shell: bash, zsh or fish", COMPLETION)
    parser.add_argument("shell", choices=tuple(_SHELLS), help="which shell")


def run(options: argparse.Namespace, context: Context) -> int:
    """Print the script."""
    from tams_server.client_cli.command_line import build_parser

    for line in _SHELLS[options.shell](list(nodes(build_parser(), ""))):
        context.output.line(line)
    return OK


def nodes(parser: argparse.ArgumentParser, path: str) -> Iterator[Node]:
    """All commands below a parser, and itself first."""
    node, children = Node(path), list[tuple[str, argparse.ArgumentParser]]()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            node.words |= {name: helps.get(name, "") for name in action.choices}
            node.subcommands += action.choices
            children += [(f"{path} {name}".strip(), child) for name, child in action.choices.items()]
            continue
        for name in action.option_strings:
            node.words[name] = (action.help or "").split(";")[0]
            if action.nargs != 0:
                node.arguments.append(name)
        if action.choices is not None:
            for name in action.option_strings or [""]:
                node.values[name] = [str(each) for each in action.choices]
    yield node
    for name, child in children:
        yield from nodes(child, name)


def _bash(found: list[Node]) -> Iterator[str]:
    yield "_tams() {"
    yield '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" at="" word words="" options=""'
    yield from _walk(found, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')
    yield '  COMPREPLY=($(compgen -W "$words" -- "$cur"))'
    yield "}"
    yield "complete -o default -F _tams tams"


def _zsh(found: list[Node]) -> Iterator[str]:
    yield "#compdef tams"
    yield "_tams() {"
    yield '  local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}" at="" word'
    yield '  local -a given; given=("${(@)words[2,CURRENT-1]}"); local words="" options=""'
    yield from _walk(found, '"${given[@]}"')
    yield '  if [[ -n "$words" ]]; then compadd -- ${=words}; else _files; fi'
    yield "}"
    yield "compdef _tams tams"


def _walk(found: list[Node], given: str) -> Iterator[str]:
    """Lines for bash and zsh that set `words` to what may follow the words before the cursor."""
    yield f"  for word in {given}; do"
    yield '    case "$at/$word" in'
    yield from (
        f'      "{node.path}/{name}") at="{_below(node, name)}" ;;' for node in found for name in node.subcommands
    )
    yield "    esac"
    yield "  done"
    yield '  case "$at/$prev" in'
    for node in found:
        for name in node.arguments:
            if name == "--context":
                yield f'    "{node.path}/{name}") words="$({CONTEXTS})" ;;'
            elif name in node.values:
                yield f'    "{node.path}/{name}") words="{" ".join(node.values[name])}" ;;'
            else:
                yield f'    "{node.path}/{name}") ;;'
    yield '    *) case "$at" in'
    for node in found:
        words = " ".join([*node.values.get("", ()), *node.subcommands])
        options = " ".join(name for name in node.words if name.startswith("-"))
        yield f'      "{node.path}") words="{words}" options="{options}" ;;'
    yield "    esac ;;"
    yield "  esac"
    yield '  [[ "$cur" == -* ]] && words="$options"'


def _fish(found: list[Node]) -> Iterator[str]:
    yield "function __tams_at"
    yield "  set -l at ''"
    yield "  for word in (commandline -opc)[2..-1]"
    yield '    switch "$at/$word"'
    for node in found:
        for name in node.subcommands:
            yield f"      case {_quoted(f'{node.path}/{name}')}"
            yield f"        set at {_quoted(_below(node, name))}"
    yield "    end"
    yield "  end"
    yield '  test "$at" = "$argv[1]"'
    yield "end"
    yield "complete -c tams -f"
    for node in found:
        start = f"complete -c tams -n {_quoted(f'__tams_at {_quoted(node.path)}')}"
        for name, help_ in node.words.items():
            yield f"{start} {_fish_word(node, name)} -d {_quoted(help_)}"
        if "" in node.values:
            yield f"{start} -a {_quoted(' '.join(node.values['']))}"


def _fish_word(node: Node, name: str) -> str:
    if not name.startswith("-"):
        return f"-a {name}"
    word = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if name not in node.arguments:
        return word
    if name == "--context":
        return f"{word} -x -a {_quoted(f'({CONTEXTS})')}"
    return f"{word} -x -a {_quoted(' '.join(node.values[name]))}" if name in node.values else f"{word} -r -F"


def _below(node: Node, name: str) -> str:
    return f"{node.path} {name}".strip()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
