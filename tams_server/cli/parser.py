"""Commands and options of `tams-server`, with their help texts."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from storage.catalog.caller import SCOPES
from storage.catalog.job_kinds import KINDS
from tams_server.cli import (
    check_command,
    jobs_command,
    service_commands,
    specification_command,
    tables_command,
    token_command,
)
from tams_server.settings import Loaded

Command = Callable[[Loaded, argparse.Namespace], int]
"""Runs with the settings and the parsed options, and returns the exit status."""

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # the class has no public name


def build_parser() -> argparse.ArgumentParser:
    """Return the parser. Parsed options have the function to run in `command`."""
    parser = argparse.ArgumentParser(
        prog="tams-server",
        description="A Time-addressable Media Store (TAMS) server.",
        epilog="Settings are read from TAMS_* environment variables; 'tams-server config' lists them. "
        "'tams-server COMMAND --help' explains a command.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data-dir",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder of the embedded catalogue and media store (overrides TAMS_DATA_DIR)",
    )
    _add_service_commands(commands, data)
    _add_jobs(commands, data)
    _add_check(commands, data)
    _add_tables(commands, data)
    _add_command(
        commands, "config", service_commands.config, "print every setting and its source, with secrets redacted", data
    )
    _add_specification(commands)
    _add_token(commands, data)
    return parser


def _add_service_commands(commands: _Commands, data: argparse.ArgumentParser) -> None:
    serve = _add_command(commands, "serve", service_commands.serve, "serve the API and run one background worker", data)
    serve.add_argument("--host", help="address to listen on (overrides TAMS_HOST)")
    serve.add_argument("--port", type=int, help="port to listen on (overrides TAMS_PORT)")
    serve.add_argument("--workers", type=int, help="number of processes that serve requests (overrides TAMS_WORKERS)")

    worker = _add_command(
        commands, "worker", service_commands.worker, "run an extra background worker, without serving the API", data
    )
    worker.add_argument("--metrics-port", type=int, metavar="PORT", help="serve this worker's metrics on this port")


def _add_jobs(commands: _Commands, data: argparse.ArgumentParser) -> None:
    jobs = _add_command(commands, "jobs", jobs_command.list_jobs, "list, retry or discard background jobs", data)
    jobs.add_argument("--state", choices=jobs_command.STATES, help="list only jobs in this state")
    jobs.add_argument("--json", action="store_true", help="print a JSON document")
    actions = jobs.add_subparsers(metavar="ACTION")

    retry = _add_command(actions, "retry", jobs_command.retry, "retry a job now", data)
    _describe(retry, jobs_command.RETRY)
    retry.add_argument("kind", nargs="?", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    retry.add_argument("key", nargs="?", metavar="KEY", help="key of the job, as listed by 'tams-server jobs'")
    retry.add_argument("--failed", action="store_true", help="retry every job that has failed permanently")

    discard = _add_command(actions, "discard", jobs_command.discard, "give up a job", data)
    _describe(discard, jobs_command.DISCARD)
    discard.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    discard.add_argument("key", metavar="KEY", help="key of the job, as listed by 'tams-server jobs'")


def _add_check(commands: _Commands, data: argparse.ArgumentParser) -> None:
    check = _add_command(
        commands, "check", check_command.check, "compare the catalogue with the contents of the storage backends", data
    )
    _describe(check, check_command.CHECK)
    check.add_argument("--repair", action="store_true", help="repair what can be repaired")
    check.add_argument("--backend", metavar="ID", help="check only the bytes on this storage backend")
    check.add_argument("--json", action="store_true", help="print one JSON object per line: findings, then a summary")


def _add_tables(commands: _Commands, data: argparse.ArgumentParser) -> None:
    export = _add_command(commands, "export", tables_command.export, "export the whole catalogue to a folder", data)
    _describe(export, tables_command.EXPORT)
    export.add_argument("folder", type=Path, metavar="DIR", help="empty folder; created if it does not exist")

    import_ = _add_command(commands, "import", tables_command.import_, "import an export into an empty catalogue", data)
    _describe(import_, tables_command.IMPORT)
    import_.add_argument("folder", type=Path, metavar="DIR", help="folder written by 'tams-server export'")

    tables = commands.add_parser("tables", help="inspect and tune the tables of the catalogue")
    actions = tables.add_subparsers(required=True, metavar="COMMAND")
    _add_command(actions, "probe", tables_command.probe, "test how a VAST cluster behaves", data)
    projections = _add_command(
        actions, "projections", tables_command.projections, "create, drop or list the projections of VAST tables", data
    )
    change = projections.add_mutually_exclusive_group(required=True)
    for action, help_ in (
        ("enable", "create the projections"),
        ("disable", "drop the projections"),
        ("status", "list the projections; on other engines, the indexes"),
    ):
        change.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=help_)


def _add_specification(commands: _Commands) -> None:
    specification = commands.add_parser("spec", help="work with the API specification")
    actions = specification.add_subparsers(required=True, metavar="COMMAND")
    diff = _add_command(
        actions, "diff", specification_command.diff, "compare another copy of the specification with the one served"
    )
    diff.add_argument("directory", type=Path, metavar="DIR", help="folder with TimeAddressableMediaStore.yaml")


def _add_token(commands: _Commands, data: argparse.ArgumentParser) -> None:
    actions = commands.add_parser("token", help="manage credentials").add_subparsers(required=True, metavar="COMMAND")
    create = _add_command(
        actions, "create", token_command.create, "create a token and print it; only its hash is stored", data
    )
    create.add_argument("--name", required=True, help="value of created_by on whatever this token creates")
    create.add_argument("--scopes", default=" ".join(SCOPES), help=f"any of {', '.join(SCOPES)} (default: all)")


def _describe(parser: argparse.ArgumentParser, text: str) -> None:
    """Show `text` in --help with its line breaks kept."""
    parser.description = text
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_command(
    commands: _Commands, name: str, command: Command, help_: str, *parents: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", parents=parents)
    parser.set_defaults(command=command)
    return parser
