"""Makes the parsers of commands: help with its line breaks kept, examples, and the options that all commands have."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from storage.errors import Invalid
from storage.timerange import TimeRange, parse_timerange
from tams_server.client_cli.errors import EXIT_STATUS, WRONG_USE, CommandError

if TYPE_CHECKING:
    from tams_server.client_cli.context import Context

FORMATS = ("table", "json", "yaml", "id")
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # the class has no public name
Run: TypeAlias = "Callable[[argparse.Namespace, Context], int]"
"""Runs a command with its parsed options, and returns the exit status."""


def add_command(subparsers: Subparsers, name: str, run: Run, help_: str, text: str) -> argparse.ArgumentParser:
    """Add the parser of a command, with the options that all commands have.

    help_: one line for the list of commands. text: what `--help` explains, with examples; its line breaks are kept.
    """
    parser = subparsers.add_parser(
        name,
        help=help_,
        description=text.strip(),
        epilog=EXIT_STATUS.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add_common_options(parser)
    return parser


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands, which may stand before and after the command's name."""
    group = parser.add_argument_group("options of all commands")
    group.add_argument(
        "--context",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="the server to use, as named by 'tams context add' (default: the one in use, or $TAMS_CONTEXT)",
    )
    group.add_argument(
        "-o",
        "--output",
        dest="output",
        choices=FORMATS,
        default=argparse.SUPPRESS,
        help="how to print results (default: table)",
    )
    group.add_argument(
        "-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="no progress, and no notes"
    )


def timerange_option(text: str, name: str = "--timerange") -> TimeRange:
    """The timerange of an option, which is not empty. Raises CommandError."""
    try:
        found = parse_timerange(text, name)
    except Invalid as error:
        raise CommandError(str(error), WRONG_USE) from error
    if found.is_empty:
        raise CommandError(f"{name} must hold some time, with its start before its end, not be {text!r}", WRONG_USE)
    return found


def positive(text: str) -> int:
    """A number from 1, for an option's `type`."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1, not {text!r}")
    return int(text)
