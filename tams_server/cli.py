"""The command line: serve, config, spec diff, token create."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from storage.catalog.caller import SCOPES
from storage.errors import TamsError
from tams_server.logs import configure_logging
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
        print("these settings cannot be used:", *error.errors, sep="\n  ", file=sys.stderr)
        return 2
    configure_logging(loaded.settings.log_level, as_json=loaded.settings.log_json)
    for variable in loaded.unknown:
        _log.warning("%s: there is no such setting", variable)
    command: Command = options.command
    try:
        return command(loaded, options)
    except (SpecificationError, TamsError, OSError, ValueError) as error:
        print(f"tams-server: {error}", file=sys.stderr)
        return 1


def _serve(loaded: Loaded, _options: argparse.Namespace) -> int:
    from tams_server.serve import serve
    from tams_server.wiring import prepare

    token = prepare(loaded.settings)
    if token is not None:
        _show_first_token(token, loaded.settings)
    serve(loaded.settings)
    return 0


def _show_first_token(token: str, settings: Settings) -> None:
    url = settings.public_url or f"http://localhost:{settings.port}"
    print(
        "\nThis is the first start, so here is a token with all rights. It is shown this once and not kept:\n\n"
        f"    {token}\n\n"
        f'Try it:   curl -H "Authorization: Bearer {token}" {url.rstrip("/")}/service\n'
        "Another:  tams-server token create --name NAME\n",
        flush=True,
    )


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
    data.add_argument("--data-dir", type=Path, help="folder of the embedded catalogue and media store")

    serve = _command(commands, "serve", _serve, "serve the API", data)
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on")
    serve.add_argument("--workers", type=int, help="processes that answer requests")

    _command(commands, "config", _config, "print every setting and where it came from, secrets left out", data)

    spec = commands.add_parser("spec", help="the API description").add_subparsers(required=True, metavar="COMMAND")
    diff = _command(spec, "diff", _spec_diff, "compare another copy of the API description with the one served")
    diff.add_argument("directory", type=Path, metavar="DIR", help="folder with TimeAddressableMediaStore.yaml")

    token = commands.add_parser("token", help="credentials").add_subparsers(required=True, metavar="COMMAND")
    create = _command(token, "create", _token_create, "make a token and print it; it is kept as a hash only", data)
    create.add_argument("--name", required=True, help="what created_by shows for what its bearer makes")
    create.add_argument("--scopes", default=" ".join(SCOPES), help=f"some of {', '.join(SCOPES)} (default: all)")
    return parser


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
