"""Commands and options of `tams-server`, with their help texts."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from storage.catalog.job_kinds import KINDS
from storage.catalog.violations import parse_day
from tams_server.cli import (
    backup_command,
    check_command,
    compliance_command,
    jobs_command,
    keys_command,
    query_command,
    replicate_command,
    replicate_options,
    retention_command,
    service_commands,
    specification_command,
    tables_command,
    usage_command,
)
from tams_server.cli.credential_parser import add_credential_commands
from tams_server.cli.times import duration
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
    _add_retention(commands, data)
    _add_backup(commands, data)
    _add_tables(commands, data)
    _add_query(commands, data)
    replicate = _add_command(
        commands, "replicate", replicate_command.replicate, "keep flows the same in another TAMS server"
    )
    _describe(replicate, replicate_options.REPLICATE)
    replicate_options.add_options(replicate)
    _add_command(
        commands, "config", service_commands.config, "print every setting and its source, with secrets redacted", data
    )
    _add_specification(commands)
    add_credential_commands(commands, data)
    _add_keys(commands, data)
    _add_usage(commands, data)
    _add_compliance(commands, data)
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


def _add_retention(commands: _Commands, data: argparse.ArgumentParser) -> None:
    retention = _add_command(
        commands, "retention", retention_command.retention, "delete what the retention tags of flows say is due", data
    )
    _describe(retention, retention_command.RETENTION)
    retention.add_argument("--dry-run", action="store_true", help="tell what is due, and delete nothing")
    retention.add_argument(
        "--within",
        type=duration,
        default=0,
        metavar="TIME",
        help="with --dry-run: also what will be due within 30m, 12h or 7d, if nothing changes",
    )
    retention.add_argument("--force", action="store_true", help="delete although the clock may have been set")
    retention.add_argument("--json", action="store_true", help="print JSON, one object a line")


def _add_backup(commands: _Commands, data: argparse.ArgumentParser) -> None:
    backup = _add_command(commands, "backup", backup_command.backup, "back up the catalogue of a running server", data)
    _describe(backup, backup_command.BACKUP)
    backup.add_argument("place", metavar="DIR|s3://BUCKET/PREFIX", help="where backups are kept")
    backup.add_argument("--keep", type=_positive, metavar="N", help="then keep only the N newest of this installation")
    backup.add_argument("--media", action="store_true", help="include the media of file stores")
    backup.add_argument("--list", action="store_true", help="list the complete backups instead")

    restore = _add_command(commands, "restore", backup_command.restore, "restore a backup to an empty catalogue", data)
    _describe(restore, backup_command.RESTORE)
    restore.add_argument("place", metavar="DIR|s3://BUCKET/PREFIX[/NAME]", help="where backups are kept, or one")
    restore.add_argument("--without-media", action="store_true", help="leave the media in the backup out")
    restore.add_argument("--verify", action="store_true", help="only verify the checksums, and restore nothing")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 1, not {text!r}")
    return int(text)


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


def _add_query(commands: _Commands, data: argparse.ArgumentParser) -> None:
    query = _add_command(commands, "query", query_command.query, "ask questions about the catalogue in SQL", data)
    _describe(query, query_command.QUERY)
    query.add_argument("query", nargs="?", metavar="NAME|SQL", help="name of a question, or a SELECT over the views")
    query.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a parameter of the question")
    query.add_argument("--format", choices=query_command.FORMATS, default="table", help="default: table")
    query.add_argument("--limit", type=_positive, metavar="N", help="most rows (default: TAMS_ANALYTICS_ROWS)")
    query.add_argument("--define", choices=query_command.DIALECTS, help="print the definitions of the views")


def _add_specification(commands: _Commands) -> None:
    specification = commands.add_parser("spec", help="work with the API specification")
    actions = specification.add_subparsers(required=True, metavar="COMMAND")
    diff = _add_command(
        actions, "diff", specification_command.diff, "compare another copy of the specification with the one served"
    )
    diff.add_argument("directory", type=Path, metavar="DIR", help="folder with TimeAddressableMediaStore.yaml")


def _add_keys(commands: _Commands, data: argparse.ArgumentParser) -> None:
    actions = commands.add_parser("keys", help="manage the keys that sign media URLs and tokens").add_subparsers(
        required=True, metavar="COMMAND"
    )
    list_ = _add_command(actions, "list", keys_command.list_keys, "list the accepted keys, without their secrets", data)
    rotate = _add_command(actions, "rotate", keys_command.rotate, "sign with a new key from now on", data)
    for each in (list_, rotate):
        each.add_argument("--tokens", action="store_true", help="the keys that sign tokens, not those of media URLs")
    _describe(rotate, keys_command.ROTATE)
    rotate.add_argument("--revoke", action="store_true", help="make all URLs, or tokens, signed so far invalid")


def _add_usage(commands: _Commands, data: argparse.ArgumentParser) -> None:
    usage = _add_command(commands, "usage", usage_command.usage, "list the bytes that principals have stored", data)
    _describe(usage, usage_command.USAGE)
    usage.add_argument("--json", action="store_true", help="print a JSON document")


def _add_compliance(commands: _Commands, data: argparse.ArgumentParser) -> None:
    compliance = _add_command(
        commands, "compliance", compliance_command.compliance, "count requests that broke the schemas", data
    )
    _describe(compliance, compliance_command.COMPLIANCE)
    compliance.add_argument(
        "--by",
        type=compliance_command.parse_fields,
        default=list(compliance_command.FIELDS),
        metavar="NAMES",
        help=f"what to count by, separated by commas (default: {','.join(compliance_command.FIELDS)})",
    )
    compliance.add_argument("--since", type=parse_day, metavar="DAY", help="the first day, such as 2026-11-29")
    compliance.add_argument("--until", type=parse_day, metavar="DAY", help="the last day")
    compliance.add_argument("--scan", action="store_true", help="list the stored documents that break the schemas")
    compliance.add_argument("--from", dest="from_", metavar="POSITION", help="where a scan continues")
    compliance.add_argument("--json", action="store_true", help="print one JSON object a line")


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
