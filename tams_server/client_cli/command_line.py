"""The `tams` command: find the command, give it the server and an output, report errors in one line.

A command is a module with `add_parser(subparsers)`, which calls `parsers.add_command`, and a function
`run(options, context)` that returns the exit status. Modules that only one command needs (PyAV, the replication) are
imported inside its function, so that `--help` and the short commands start quickly.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from storage.errors import TamsError
from tams_server.client import ClientError
from tams_server.client_cli import tag_command
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import EXIT_STATUS, FAILED, INTERRUPTED, WRONG_USE, CommandError, explain
from tams_server.client_cli.output import Output
from tams_server.client_cli.parsers import add_common_options

COMMANDS = (
    "context",
    "ls",
    "show",
    "tag",
    "ingest",
    "export",
    "cut",
    "play",
    "watch",
    "cp",
    "rm",
    "doctor",
    "completion",
    "version",
)
"""The commands in the order of the help. Each is the module NAME_command of this package."""

TAMS = """
Work with Time-addressable Media Stores (TAMS 8.x): look around, ingest and export media, edit,
copy between servers, watch.

Begin with a server, then look what it has:

  tams context add local http://localhost:4010 --token
  tams doctor
  tams ls flows

'tams COMMAND --help' explains a command, with examples.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Parsed options have the function to run in `run`."""
    parser = argparse.ArgumentParser(
        prog="tams",
        description=TAMS.strip(),
        epilog=EXIT_STATUS.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common_options(parser)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"{__package__}.{name}_command").add_parser(subparsers)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run the command named by `arguments` and return its exit status, one of `errors`."""
    _open_missing()
    output = Output()
    try:
        options = build_parser().parse_args(tag_command.expanded(arguments))
        output = Output.of_process(getattr(options, "output", "table"), os.environ)
        context = Context(os.environ, output, getattr(options, "context", ""), getattr(options, "quiet", False))
        status: int = options.run(options, context)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_output()  # the reader, such as `head`, has enough
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except ClientError as error:
        return _report(output, explain(error))
    except CommandError as error:
        return _report(output, error)
    except TamsError as error:  # what was given is no timerange, or no timestamp
        return _report(output, CommandError(str(error), WRONG_USE))
    except OSError as error:  # also those of FFmpeg's libraries
        _discard_output()  # the disk may be full to which it goes
        return _report(output, CommandError(_without_url(error)))
    except UnicodeEncodeError as error:  # of standard output, such as one in ASCII
        return _report(output, CommandError(f"the output cannot be encoded: {error}"))
    except Exception as error:
        if not _is_of_media(error):
            raise
        return _report(output, CommandError(f"the media cannot be processed: {_without_url(error)}"))


def _is_of_media(error: Exception) -> bool:
    """Whether PyAV, which is imported only by commands that need it, raised an error."""
    return any(each.__module__.partition(".")[0] == "av" for each in type(error).__mro__)


def _without_url(error: Exception) -> str:
    """What an error says, without a URL that may hold a secret: FFmpeg's libraries name their input."""
    is_url = "://" in str(getattr(error, "filename", None) or "")
    return str(getattr(error, "strerror", None)) if is_url else str(error)


def _open_missing() -> None:
    """Open standard streams that the caller has closed, as `>&-` does, so that there is something to print to."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w" if number else "r", encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, stream)


def _discard_output() -> None:
    """Let standard output go nowhere. Otherwise Python writes what is left again at its end, and reports the error."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(output: Output, error: CommandError) -> int:
    output.note(f"tams: {error}")
    return error.status
