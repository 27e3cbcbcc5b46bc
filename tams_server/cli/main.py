"""The command line: serve and worker, jobs and check, export, import and tables, config, spec diff, token create."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from storage.catalog.caller import SCOPES
from storage.catalog.jobs import KINDS
from storage.errors import TamsError
from tams_server.cli import check_command, jobs_command, tables_command
from tams_server.logs import configure_logging
from tams_server.metrics.shared_counters import counters_shared
from tams_server.settings import Loaded, Settings, SettingsError, load_settings, shown_settings
from tams_server.specification.document import SpecificationError

Command = Callable[[Loaded, argparse.Namespace], int]
_log = logging.getLogger(__name__)
_OVERRIDES = ("host", "port", "data_dir", "workers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 differences or failure, 2 wrong use or settings."""
    options = _parser().parse_args(arguments)
    try:
        loaded = load_settings(os.environ, {name: getattr(options, name, None) for name in _OVERRIDES})
    except SettingsError as error:
        return _refuse(error)
    configure_logging(loaded.settings.log_level, as_json=loaded.settings.log_json)
    for variable in loaded.unknown:
        _log.warning("%s: there is no such setting", variable)
    command: Command = options.command
    try:
        return command(loaded, options)
    except SettingsError as error:
        return _refuse(error)
    except (SpecificationError, TamsError, OSError, ValueError) as error:
        print(f"tams-server: {error}", file=sys.stderr)
        return 1


def _refuse(error: SettingsError) -> int:
    print("these settings cannot be used:", *error.errors, sep="\n  ", file=sys.stderr)
    return 2


def _serve(loaded: Loaded, _options: argparse.Namespace) -> int:
    from tams_server.wiring import prepare

    identity, token = prepare(loaded.settings)
    if token is not None:
        _show_first_token(token, loaded.settings)
    with counters_shared():
        from tams_server.processes.gunicorn_server import serve

        serve(loaded.settings, identity)
    return 0


def _show_first_token(token: str, settings: Settings) -> None:
    program = os.path.relpath(Path(sys.executable).with_name("tams-server"))
    url = settings.public_url or f"http://localhost:{settings.port}"
    print(
        "\nThis is the first start, so here is a token with all rights. It is shown this once and not kept:\n\n"
        f"    {token}\n\n"
        f'Try it:   curl -H "Authorization: Bearer {token}" {url.rstrip("/")}/service\n'
        f"Another:  {program} token create --name NAME   (with the same TAMS_* variables)\n",
        flush=True,
    )


def _worker(loaded: Loaded, options: argparse.Namespace) -> int:
    from tams_server.app import read_specification
    from tams_server.processes.worker import run_worker
    from tams_server.wiring import prepare_tables

    prepare_tables(loaded.settings)
    _log.info("working in the background until told to stop")
    run_worker(loaded.settings, read_specification(loaded.settings), port=options.metrics_port)
    return 0


def _config(loaded: Loaded, _options: argparse.Namespace) -> int:
    for variable, value, origin in shown_settings(loaded):
        print(f"{variable}={value}".ljust(50), f"# {origin}")
    return 0


def _spec_diff(loaded: Loaded, options: argparse.Namespace) -> int:
    from tams_server.app import api_folder
    from tams_server.specification.diff import compare

    comparison = compare(api_folder(loaded.settings), options.directory)
    for difference in comparison.differences:
        print(difference)
    print(
        f"{comparison.operations} operations, {comparison.webhooks} webhooks, {comparison.schemas} schemas:"
        f" {len(comparison.differences)} differences"
    )
    return 1 if comparison.differences else 0


def _token_create(loaded: Loaded, options: argparse.Namespace) -> int:
    from tams_server.wiring import open_parts, prepare_tables

    prepare_tables(loaded.settings)
    parts = open_parts(loaded.settings)
    try:
        scopes = options.scopes.replace(",", " ").split()
        print(parts.catalog.credentials.add_token(options.name, scopes))
    finally:
        parts.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tams-server",
        description="A Time-addressable Media Store (TAMS) server, API version 8.2.",
        epilog="Settings are TAMS_* variables; 'tams-server config' lists them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data-dir", type=Path, default=argparse.SUPPRESS, help="folder of the embedded catalogue and media store"
    )

    serve = _command(commands, "serve", _serve, "serve the API", data)
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on")
    serve.add_argument("--workers", type=int, help="processes that answer requests")

    worker = _command(commands, "worker", _worker, "do background work, beside what every server does of it", data)
    worker.add_argument("--metrics-port", type=int, metavar="PORT", help="serve the metrics of this worker there")

    _add_jobs(commands, data)

    check = _command(
        commands, "check", check_command.check, "compare the catalogue with what the storage backends have", data
    )
    _explain(check, check_command.CHECK)
    check.add_argument("--repair", action="store_true", help="set right what can be")
    check.add_argument("--backend", metavar="ID", help="compare the bytes on this backend only, and nothing else")
    check.add_argument("--json", action="store_true", help="a JSON object a line: findings, then a summary")

    _add_tables(commands, data)

    _command(commands, "config", _config, "print every setting and where it came from, secrets left out", data)

    spec = commands.add_parser("spec", help="the API description").add_subparsers(required=True, metavar="COMMAND")
    diff = _command(spec, "diff", _spec_diff, "compare another copy of the API description with the one served")
    diff.add_argument("directory", type=Path, metavar="DIR", help="folder with TimeAddressableMediaStore.yaml")

    token = commands.add_parser("token", help="credentials").add_subparsers(required=True, metavar="COMMAND")
    create = _command(token, "create", _token_create, "make a token and print it; it is kept as a hash only", data)
    create.add_argument("--name", required=True, help="what created_by shows for what its bearer makes")
    create.add_argument("--scopes", default=" ".join(SCOPES), help=f"some of {', '.join(SCOPES)} (default: all)")
    return parser


def _add_jobs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", data: argparse.ArgumentParser) -> None:
    jobs = _command(commands, "jobs", jobs_command.list_jobs, "list background jobs, or retry or discard them", data)
    jobs.add_argument("--state", choices=jobs_command.STATES, help="only jobs in this state")
    jobs.add_argument("--json", action="store_true", help="as a JSON document")
    actions = jobs.add_subparsers(metavar="ACTION")

    retry = _command(actions, "retry", jobs_command.retry, "try a job again at once", data)
    _explain(retry, jobs_command.RETRY)
    retry.add_argument("kind", nargs="?", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    retry.add_argument("key", nargs="?", metavar="KEY", help="as 'tams-server jobs' shows it")
    retry.add_argument("--failed", action="store_true", help="all jobs that have failed for good")

    discard = _command(actions, "discard", jobs_command.discard, "give a job up", data)
    _explain(discard, jobs_command.DISCARD)
    discard.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    discard.add_argument("key", metavar="KEY", help="as 'tams-server jobs' shows it")


def _add_tables(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", data: argparse.ArgumentParser) -> None:
    export = _command(commands, "export", tables_command.export, "write the whole catalogue into a folder", data)
    _explain(export, tables_command.EXPORT)
    export.add_argument("folder", type=Path, metavar="DIR", help="made unless it is there; must be empty")

    import_ = _command(commands, "import", tables_command.import_, "fill an empty catalogue from such a folder", data)
    _explain(import_, tables_command.IMPORT)
    import_.add_argument("folder", type=Path, metavar="DIR", help="what 'tams-server export' has written")

    tables = commands.add_parser("tables", help="the tables of the catalogue")
    actions = tables.add_subparsers(required=True, metavar="COMMAND")
    _command(actions, "probe", tables_command.probe, "try what only a VAST cluster can tell of itself", data)
    projections = _command(actions, "projections", tables_command.projections, "projections of VAST tables", data)
    change = projections.add_mutually_exclusive_group(required=True)
    for action, help_ in (("enable", "make them"), ("disable", "drop them"), ("status", "show them")):
        change.add_argument(f"--{action}", dest="action", action="store_const", const=action, help=help_)


def _explain(parser: argparse.ArgumentParser, text: str) -> None:
    """Have --help show a text as it is."""
    parser.description = text
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    help_: str,
    *parents: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.", parents=parents)
    parser.set_defaults(command=command)
    return parser
