"""The `tams-server` command: load the settings, run one command, report errors.

Modules that only one command needs (wiring, gunicorn, the specification) are imported inside its function, so that
`--help` and the short commands start quickly.
"""

import logging
import os
from collections.abc import Sequence

from storage.errors import TamsError
from tams_server.cli.output import print_line, print_lines
from tams_server.cli.parser import Command, build_parser
from tams_server.logs import configure_logging
from tams_server.settings import SettingsError, load_settings
from tams_server.specification.document import SpecificationError

_log = logging.getLogger(__name__)
_OVERRIDES = ("host", "port", "data_dir", "workers")  # options that override the setting of the same name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named by `arguments` (default: sys.argv) and return its exit status.

    0: success. 1: the command failed, or found differences. 2: invalid options or settings.
    """
    # Everything that a server or a command creates may hold secrets or media of others.
    os.umask(0o077)
    options = build_parser().parse_args(arguments)
    try:
        loaded = load_settings(os.environ, {name: getattr(options, name, None) for name in _OVERRIDES})
    except SettingsError as error:
        return _invalid_settings(error)
    configure_logging(loaded.settings.log_level, as_json=loaded.settings.log_json)
    for variable in loaded.unknown:
        _log.warning("ignoring unknown setting %s", variable)
    command: Command = options.command
    try:
        return command(loaded, options)
    except SettingsError as error:
        return _invalid_settings(error)
    except SpecificationError as error:
        print_lines(f"tams-server: {error}", error=True)
        return 1
    except (TamsError, OSError, ValueError) as error:
        print_line(f"tams-server: {error}", error=True)
        return 1


def _invalid_settings(error: SettingsError) -> int:
    print_lines("\n  ".join(("invalid settings:", *error.errors)), error=True)
    return 2
